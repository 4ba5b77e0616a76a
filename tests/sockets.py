"""A browser's end of a WebSocket, for tests. (Channels' own needs the daphne server to be installed.)"""

import json
from typing import Any
from urllib.parse import unquote

from asgiref import testing

Communicator: Any = testing.ApplicationCommunicator  # its methods carry no types


class Socket(Communicator):  # type: ignore[misc]
    """Open with `connect`, read with `hear`, end with `disconnect`."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "websocket", "path": unquote(path), "query_string": b"", "headers": headers, "subprotocols": [],
        }  # fmt: skip
        super().__init__(application, scope)

    async def connect(self) -> bool:
        """Whether the server accepted; a refusal is a close instead."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(5)
        return bool(answer["type"] == "websocket.accept")

    async def send(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next message of this kind; others are passed over."""
        while True:
            output = await self.receive_output(5)
            assert output["type"] == "websocket.send", output
            message: dict[str, Any] = json.loads(output["text"])
            if message["kind"] == kind:
                return message

    async def close_code(self) -> int:
        output = await self.receive_output(5)
        assert output["type"] == "websocket.close", output
        return int(output["code"])

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)
