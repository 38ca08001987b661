"""A real browser in front of the real pages: Debian's Chromium, our guard, a port of this machine."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Dialog, Page, Request, sync_playwright

from features.settings import Home
from serving.api.app import create_app
from serving.context import ServiceContext
from serving.guard import Guard
from serving.ledger import Ledger
from serving.pages.routes import page_routes
from serving.settings import ServiceSettings

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OK = 200
_PATIENCE_MS = 30_000
_TELL_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", one => window.violations.push(one.violatedDirective));
"""


def chromium() -> str:
    """Where the browser is; without it the tests of the pages fail, because nothing else looks at them."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("the pages are tested in a real browser: install Debian's chromium (apt-get install chromium)")
    return found


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """A browser without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(home: Home, ledger: Ledger) -> Iterator[str]:
    """The address of our app, guard and all, over a ledger."""
    settings = ServiceSettings(home=home)
    context = ServiceContext.of(settings, tell=lambda *_: None)
    app = create_app(context, pages=page_routes(ledger))
    guard: Any = Guard(app, settings=settings, metrics=context.metrics, tell=context.tell, door=context.door)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(guard, http="h11", ws="none", lifespan="off", log_config=None))
    thread = Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        context.close()


class Watched:
    """A page that remembers everything that should not happen: errors, refused loads, violations, dialogs."""

    def __init__(self, browser: Browser, *, width: int = 1280, height: int = 900) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": height})
        self.trouble: list[str] = []
        self.page.set_default_timeout(_PATIENCE_MS)
        self.page.add_init_script(_TELL_VIOLATIONS)
        self.page.on("console", lambda said: self.trouble.append(f"console {said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("dialog", self._dismiss)

    def open(self, address: str, status: int = 200) -> Page:
        """The page under an address, its violations of the policy counted with its troubles."""
        answer = self.page.goto(address)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert (answer.status, "default-src 'none'" in policy, "unsafe" in policy) == (status, True, False)
        # The browser counts a page that is not there among its errors, whatever the page says.
        self.trouble = [one for one in self.trouble if status == OK or f"status of {status}" not in one]
        self.trouble += [f"violation: {one}" for one in self.page.evaluate("window.violations")]
        return self.page

    def _failed(self, asked: Request) -> None:
        # An icon that is still on its way when the next page is opened is given up by the browser itself.
        if asked.failure != "net::ERR_ABORTED":
            self.trouble.append(f"refused: {asked.url}: {asked.failure}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()
