-- Sends requests prepared in a file, one after another, and prints what came of it as one line of JSON.
-- Arguments: the file, then requests a second (0: as fast as the connections allow).
local ffi = require("ffi")
ffi.cdef("typedef struct { long sec; long usec; } timeval_t; int gettimeofday(timeval_t *tv, void *tz);")

local threads = {}
local now = ffi.new("timeval_t")

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   prepared, issued, rate, due = {}, -1, tonumber(args[2]), 0
   local file = io.open(args[1], "rb")
   for one in file:read("*a"):gmatch("[^%z]+") do
      prepared[#prepared + 1] = one
   end
   file:close()
end

function request()
   -- The first call only checks this function; what it gives is not sent.
   issued = issued + 1
   return prepared[math.max(issued - 1, 0) % #prepared + 1]
end

local function clock()
   ffi.C.gettimeofday(now, nil)
   return tonumber(now.sec) * 1000 + tonumber(now.usec) / 1000
end

function paced_delay()
   local at = clock()
   -- One schedule for all connections: a slow answer delays no other request.
   due = math.max(due, at - 100) + 1000 / rate
   return math.max(0, math.floor(due - at + 0.5))
end

local plain_init = init
function init(args)
   plain_init(args)
   if rate > 0 then
      delay = paced_delay
   end
end

function done(summary, latency, _)
   local issued = 0
   for _, thread in ipairs(threads) do
      issued = issued + thread:get("issued")
   end
   local errors = summary.errors
   print(string.format(
      '{"seconds": %.6f, "answered": %d, "issued": %d, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f}',
      summary.duration / 1e6, summary.requests, issued, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
