"""Web servers of the sandbox: each tracker on its own loopback port, in threads of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from connectors.sandbox.versions import age
from connectors.sandbox.world import Tracker, World

__all__ = ["Sandbox"]

_MODULES = {"github": "github", "gitlab": "gitlab", "jira": "jira", "jira-cloud": "jira"}


def application(tracker: Tracker) -> ASGIApp:
    """Return the web application of a tracker."""
    made: ASGIApp = import_module(f"connectors.sandbox.{_MODULES[tracker.kind]}.app").application(tracker)
    return made


class _Server(uvicorn.Server):
    """A server that ends at once: uvicorn looks ten times a second for a reason to end, and then waits a tenth more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    def stop(self) -> None:
        """End the server; call it from another thread, after `ready`."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        """Serve until `stop`."""
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)  # the headers of all answers
        self.ready.set()
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is idle; uvicorn waits for the others."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # for the connections to end
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)


class Sandbox:
    """Server of all or some trackers of a world; ``with Sandbox(world) as sandbox: sandbox.world.github.url``.

    ``ports`` gives fixed ports by tracker kind; without it the system chooses free ones. ``versions`` makes servers of
    older versions, by tracker kind (``{"github": "3.14"}``): see `connectors.sandbox.versions`. Raises ValueError for
    a kind or version that the sandbox does not know.
    """

    def __init__(
        self,
        world: World,
        *,
        only: tuple[str, ...] | None = None,
        ports: Mapping[str, int] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self.world = world
        age(world, versions or {})
        self._running: list[tuple[_Server, threading.Thread]] = []
        self._only, self._ports = only, ports or {}

    def __enter__(self) -> Self:
        for tracker in self.world.trackers:
            if self._only is None or tracker.kind in self._only:
                self._start(tracker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        for server, _ in self._running:
            server.stop()
        for _, thread in self._running:
            thread.join(timeout=10)

    def _start(self, tracker: Tracker) -> None:
        # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self._ports.get(tracker.kind, 0)))
        listening.listen()  # from now on no other process can bind the port
        tracker.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            application(tracker),
            log_level="critical",
            access_log=False,
            date_header=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        if not server.ready.wait(10):
            raise RuntimeError(f"the sandbox's {tracker.kind} did not start")
        self._running.append((server, thread))
