"""An afternoon's work: FastAPI and SQLAlchemy under uvicorn, one commit for each request."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from benchmarks.peers.afternoon import is_signed, keep

app = FastAPI()


async def signed_form(request: Request) -> dict[str, str]:
    """Read the form and check the signature."""
    params = {name: str(value) for name, value in (await request.form()).items()}
    headers = request.headers
    signature, nonce = headers.get("X-Plivo-Signature-V3", ""), headers.get("X-Plivo-Signature-V3-Nonce", "")
    target = f"{request.url.path}?{request.url.query}"
    if not is_signed("POST", target, params, signature, nonce):
        raise HTTPException(403)
    return params


@app.post("/dialstatus/action/")
def action(dial: str, params: Annotated[dict[str, str], Depends(signed_form)]) -> Response:
    """Store and reply; a plain function, so that the commit does not block the event loop."""
    keep(dial, params)
    return Response("<Response/>", media_type="application/xml")
