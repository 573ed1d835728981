"""The resident's page on a free port, with stand-ins behind it, in a real browser."""

import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from playwright.sync_api import sync_playwright
from sqlalchemy.orm import sessionmaker

from channels.app import create_app
from storage import Base
from suqiutong.database import make_engine
from tests.unit.channels.fakes import FakeRasa, FakeServices


class Site:
    """A running application: its address and what stands behind it."""

    def __init__(self, address, rasa, services):
        self.address = address
        self.rasa = rasa
        self.services = services


@contextmanager
def serve(services, rasa, port=0, **options):
    listening = socket.create_server(("127.0.0.1", port))
    app = create_app(services, rasa_transport=rasa.transport)
    # An open stream of events would hold the server up for ever.
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=1, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        scheme = "https" if options.get("ssl_certfile") else "http"
        yield Site(f"{scheme}://127.0.0.1:{listening.getsockname()[1]}", rasa, services)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def site(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'site.db'}")
    Base.metadata.create_all(engine)
    with serve(FakeServices(sessions=sessionmaker(engine)), FakeRasa()) as site:
        yield site
    engine.dispose()


# Not for the session: Playwright keeps an event loop running in this thread, in which no other test could run its own.
@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    # Chromium refuses its sandbox to root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, site):
    """Opens pages of the site in contexts of their own; a script error or a breach of the policy fails the test."""
    contexts, problems = [], []

    def open_page(path="/", **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        page.goto(site.address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
