from pathlib import Path

import pytest

from suqiutong.errors import CommandError
from suqiutong.settings import ROOT, Settings, read_settings, settings_table, shown_settings


def settings(**values):
    return Settings(_env_file=None, **values)


def test_everything_made_while_running_lies_in_the_data_folder():
    found = settings(data=Path("/data"))
    assert found.database == "sqlite:////data/suqiutong.db"
    assert found.knowledge_folder == Path("/data/knowledge")
    assert found.models_folder == Path("/data/models")
    assert found.log_folder == Path("/data/log")


def test_relative_folders_start_at_the_checkout():
    assert settings().data_folder == ROOT / "var"
    assert settings(data=Path("/data"), models=Path("var/models")).models_folder == ROOT / "var/models"


def test_a_database_address_replaces_the_default():
    assert settings(database_url="postgresql://host/name").database == "postgresql://host/name"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("10.0.0.5", "http://10.0.0.5:8000"),
    ],
)
def test_this_machine_reaches_the_web_process(host, url):
    assert settings(host=host).web_url == url


def test_inner_servers_are_reached_on_the_loopback_address():
    found = settings(host="0.0.0.0", rasa_port=6005, actions_port=6055)
    assert found.rasa_url == "http://127.0.0.1:6005"
    assert found.actions_url == "http://127.0.0.1:6055/webhook"


def test_one_of_several_processes_listens_above_the_port_on_which_the_others_look_for_it():
    given = settings(rasa_port=6005, actions_port=6055, actions_metrics_port=9110)
    rasa, actions, web = (given.instance(name, 2) for name in ("rasa", "actions", "web"))
    assert (rasa.rasa_port, rasa.actions_url) == (6007, "http://127.0.0.1:6055/webhook")
    assert (actions.actions_port, actions.actions_metrics_port) == (6057, 9112)
    assert (web.web_port, web.rasa_url) == (8002, "http://127.0.0.1:6005")
    assert given.instance("actions", 0) == given
    assert settings().instance("actions", 1).actions_metrics_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_PORT", "70000"),
        ("BASE_PIPELINE", "bert"),
        ("SESSION_HOURS", "0"),
        ("RASA_PORT", "five"),
        ("EMBED_ORIGINS", "https://a.test/page"),
        ("EMBED_ORIGINS", "https://a.test; script-src *"),
        ("KIOSK_ADDRESSES", "10.0.0.0/8, hall"),
        ("QUEUE_URL", "10.0.0.3:6379"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(monkeypatch, name, value):
    monkeypatch.setenv(f"SUQIUTONG_{name}", value)
    with pytest.raises(CommandError, match=f"^setting SUQIUTONG_{name}: .+$"):
        read_settings()


def test_the_table_has_a_row_for_each_setting():
    rows = settings_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    assert "| `SUQIUTONG_WEB_PORT` | `8000` | Port of the web process. |" in rows


def test_shown_settings_hold_no_secret():
    found = settings(
        database_url="postgresql+psycopg://suqiutong:geheim@db:5432/name",
        queue_url="redis://:geheim@queue/0",
        desk_oidc_client_secret="geheim",
        public_url="https://example.org:8443/a@b",
    )
    shown = shown_settings(found)
    assert shown.keys() == Settings.model_fields.keys()
    assert "geheim" not in "".join(shown.values())
    assert shown["database_url"] == "postgresql+psycopg://suqiutong:***@db:5432/name"
    assert shown["desk_oidc_client_secret"] == "***"
    assert shown["public_url"] == "https://example.org:8443/a@b"
    assert (shown["models"], shown["web_port"]) == ("", "8000")
