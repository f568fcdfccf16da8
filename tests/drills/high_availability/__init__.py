"""Three machines with PostgreSQL, Patroni and etcd, and callers whose reports must survive what happens to them."""
