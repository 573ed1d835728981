"""The command line as a person types it."""

import json
import os
import signal
import socket
import stat
import subprocess
import tarfile
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from knowledge.digests import write_digests
from suqiutong import rasa, up
from suqiutong.errors import CommandError
from suqiutong.freshness import MODEL_INPUTS, STAMP, digest, is_fresh, knowledge_digest, write_stamp
from suqiutong.settings import Settings, read_secret
from tests.conftest import product_environment, run_command, start_up, wait_until_ready


@pytest.fixture
def environment(tmp_path):
    return product_environment(tmp_path / "data")


@pytest.fixture
def command(environment):
    def command(*arguments):
        return run_command(*arguments, environment=environment)

    return command


@pytest.fixture
def database(command):
    assert command("db", "upgrade").returncode == 0


def failure(result):
    """The one line of a command that failed."""
    assert result.returncode != 0
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


# Database, staff and tokens


def test_the_schema_goes_up_and_down(command):
    assert command("db", "upgrade").returncode == 0
    revision = command("db", "current").stdout.split()[0]
    assert command("db", "downgrade", "base").returncode == 0
    assert command("db", "current").stdout == f"empty (newest: {revision})\n"


def test_nothing_is_written_to_an_old_schema(command):
    assert "suqiutong db upgrade" in failure(command("staff", "add", "张三", "--role", "operator"))


@pytest.mark.usefixtures("database")
def test_an_unknown_revision_is_one_line(command):
    assert "nowhere" in failure(command("db", "downgrade", "nowhere"))


def test_a_database_without_driver_is_one_line(command, environment):
    environment["SUQIUTONG_DATABASE_URL"] = "nosuch://host/name"
    assert "SUQIUTONG_DATABASE_URL" in failure(command("db", "current"))


@pytest.mark.usefixtures("database")
def test_staff_come_and_go_with_their_tokens(command):
    assert command("staff", "add", "张三", "--role", "operator").returncode == 0
    assert "张三" in failure(command("staff", "add", "张三", "--role", "editor"))
    assert "operator" in failure(command("token", "create", "--name", "张三", "--role", "admin"))
    assert command("token", "create", "--name", "张三", "--role", "operator").returncode == 0
    assert command("staff", "disable", "张三").stderr == "revoked tokens: 1\n"
    assert command("staff", "list").stdout == "张三\toperator\t光明街道群众诉求服务大厅\tdisabled\n"
    assert command("token", "list").stdout.endswith("\trevoked\n")
    assert "disabled" in failure(command("token", "create", "--name", "张三", "--role", "operator"))
    assert "disabled already" in failure(command("staff", "disable", "张三"))
    assert "李四" in failure(command("staff", "disable", "李四"))


@pytest.mark.usefixtures("database")
def test_a_token_is_shown_once_and_kept_as_a_digest(command, tmp_path):
    token = command("token", "create", "--role", "operator").stdout.strip()
    assert token.startswith("sqt_")
    assert token not in command("token", "list").stdout
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert token.encode() not in kept


@pytest.mark.usefixtures("database")
def test_a_token_can_be_withdrawn_once(command):
    command("token", "create", "--role", "editor", "--name", "desk")
    number = command("token", "list").stdout.split("\t")[0]
    assert command("token", "revoke", number).returncode == 0
    assert "revoked already" in failure(command("token", "revoke", number))
    assert "no token 99" in failure(command("token", "revoke", "99"))


# Settings and secrets


def test_a_wrong_setting_is_one_line(command, environment):
    environment["SUQIUTONG_WEB_PORT"] = "none"
    assert "SUQIUTONG_WEB_PORT" in failure(command("settings"))


def test_the_settings_in_force_are_shown(command, environment):
    assert f"SUQIUTONG_WEB_PORT={environment['SUQIUTONG_WEB_PORT']}\n" in command("settings").stdout


def test_the_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    secret = read_secret(tmp_path)
    assert len(secret) == 32
    assert read_secret(tmp_path) == secret
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{}", '{"secret": "no hex"}', '{"secret": "abcd"}', "[]"])
def test_a_broken_secret_is_refused(tmp_path, content):
    path = tmp_path / "secrets.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(CommandError, match="backup"):
        read_secret(tmp_path)


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    read_secret(tmp_path)
    (tmp_path / "secrets.json").chmod(0o644)
    with pytest.raises(CommandError, match="read by others"):
        read_secret(tmp_path)


# What is up to date


def test_a_change_a_new_file_and_another_value_are_seen(tmp_path):
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "one.yml"
    file.write_text("1")
    values = {digest(["folder"], root=tmp_path), digest(["folder"], "lac", root=tmp_path)}
    file.write_text("2")
    values.add(digest(["folder"], root=tmp_path))
    (tmp_path / "folder" / "two.yml").write_text("")
    values.add(digest(["folder"], root=tmp_path))
    assert len(values) == 4


def test_compiled_files_are_no_change(tmp_path):
    before = digest(["."], root=tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").write_bytes(b"1")
    assert digest(["."], root=tmp_path) == before


def test_a_stamp_stands_for_its_inputs(tmp_path):
    stamp = tmp_path / "stamp"
    assert not is_fresh(stamp, "a")
    write_stamp(stamp, "a")
    assert is_fresh(stamp, "a")
    assert not is_fresh(stamp, "b")


# The model


def test_a_missing_and_a_corrupt_model_are_told_apart(tmp_path):
    model = tmp_path / rasa.MODEL
    with pytest.raises(CommandError, match="there is no model"):
        rasa.check_model(model)
    (tmp_path / "weights").write_bytes(os.urandom(100_000))
    with tarfile.open(model, "w:gz") as archive:
        archive.add(tmp_path / "weights", "weights")
    rasa.check_model(model)
    whole = bytearray(model.read_bytes())
    model.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CommandError, match="corrupt"):
        rasa.check_model(model)
    whole[len(whole) // 2] ^= 0xFF
    model.write_bytes(whole)
    with pytest.raises(CommandError, match="corrupt"):
        rasa.check_model(model)


def test_the_model_before_is_used_while_the_model_is_corrupt(tmp_path):
    lines = []
    model, previous = tmp_path / rasa.MODEL, tmp_path / rasa.PREVIOUS_MODEL
    for path in (model, previous):
        with tarfile.open(path, "w:gz") as archive:
            archive.add(__file__, "weights")
    assert rasa.usable_model(tmp_path, lines.append) == model
    model.write_bytes(model.read_bytes()[:-50])
    assert rasa.usable_model(tmp_path, lines.append) == previous
    (line,) = lines
    assert f"the model {model} is corrupt: run `suqiutong train`" in line
    model.unlink()
    assert rasa.usable_model(tmp_path, lines.append) == previous
    previous.write_bytes(b"no archive")
    with pytest.raises(CommandError, match="there is no model"):
        rasa.usable_model(tmp_path, lines.append)


def test_rasa_does_not_start_without_a_whole_model(command, environment, tmp_path):
    (tmp_path / rasa.MODEL).write_bytes(b"no archive")
    environment["SUQIUTONG_MODELS"] = str(tmp_path)
    assert "is corrupt: run `suqiutong train`" in failure(command("serve", "rasa"))


def test_a_damaged_knowledge_base_is_built_anew(tmp_path, monkeypatch):
    settings, lines, built = Settings(data=tmp_path), [], []
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "clauses.json").write_text("[]")
    write_digests(tmp_path / "knowledge", ["clauses.json"])
    write_stamp(tmp_path / "knowledge" / STAMP, knowledge_digest(settings))

    def run_build(words, **_options):
        built.append(words[-2:])
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(up.subprocess, "run", run_build)
    up.ensure_knowledge(settings, lines.append)
    assert not built
    (tmp_path / "knowledge" / "clauses.json").write_text("[7]")
    up.ensure_knowledge(settings, lines.append)
    assert built == [["knowledge", "build"]]
    assert "知识库文件损坏" in lines[0]


@pytest.mark.rasa
@pytest.mark.usefixtures("running")  # has built the knowledge base
def test_a_corrupt_model_stops_the_start_in_one_line(command, environment, tmp_path):
    (tmp_path / rasa.MODEL).write_bytes(b"no archive")
    write_stamp(tmp_path / STAMP, digest(MODEL_INPUTS))
    environment["SUQIUTONG_MODELS"] = str(tmp_path)
    assert "is corrupt: run `suqiutong train`" in failure(command("up"))


# The knowledge base


@pytest.mark.rasa
@pytest.mark.usefixtures("running")
def test_every_fact_stands_in_the_report(command):
    rows = [json.loads(line) for line in command("knowledge", "show").stdout.splitlines()]
    assert {"13", "9113", "552"} <= {row["value"] for row in rows}
    assert command("knowledge", "check").stdout == f"{len(rows)} facts hold\n"


def test_a_knowledge_base_that_was_never_built_is_one_line(command, environment, tmp_path):
    environment["SUQIUTONG_KNOWLEDGE"] = str(tmp_path / "none")
    assert "suqiutong knowledge build" in failure(command("knowledge", "check"))
    assert "suqiutong knowledge build" in failure(command("ask", "去年办了几场招聘会"))


# Answers without a server


@pytest.mark.rasa
def test_ask_answers_from_the_report(running):
    message = json.loads(running.command("ask", "去年办了几场招聘会").stdout)
    assert message["kind"] == "answer"
    assert "13" in message["text"]
    assert "13" in message["citations"][0]["quote"]


def test_ask_puts_safety_first(command):
    assert json.loads(command("ask", "家里煤气漏了,味道很大").stdout)["kind"] == "emergency"


def test_triage_tells_where_a_petition_goes(command):
    route = json.loads(command("triage", "白花洞晚上工地施工太吵,睡不着").stdout)
    assert route["community"] == "白花"
    assert len(route["category"]) == 3


# The whole product


def test_a_port_in_use_is_one_line(command, environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["SUQIUTONG_RASA_PORT"])))
        taken.listen()
        line = failure(command("up"))
    assert f"port {environment['SUQIUTONG_RASA_PORT']} (rasa)" in line
    assert "SUQIUTONG_RASA_PORT" in line


def test_one_port_for_two_processes_is_one_line(command, environment):
    environment["SUQIUTONG_ACTIONS_PORT"] = environment["SUQIUTONG_WEB_PORT"]
    assert "both web and actions" in failure(command("up"))


@pytest.mark.rasa
@pytest.mark.usefixtures("running")  # has trained the model
def test_everything_ends_when_one_process_is_killed(environment, tmp_path):
    output = tmp_path / "up.txt"
    process = start_up(environment, output)
    try:
        url = f"http://127.0.0.1:{environment['SUQIUTONG_WEB_PORT']}"
        wait_until_ready(url, process, output)
        assert "诉求通已就绪" in wait_for_text(output, url)
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        children = [int(line) for line in found.stdout.split()]
        assert len(children) == len(Path("Procfile").read_text(encoding="utf-8").splitlines())
        os.kill(children[0], signal.SIGKILL)
        assert process.wait(timeout=60) == 1
        for child in children:
            with pytest.raises(ProcessLookupError):
                os.killpg(child, 0)
    finally:
        process.kill()
        process.wait()
    assert "rasa ended by itself (code -9)" in output.read_text(encoding="utf-8")


def wait_for_text(output, text, seconds=20):
    """What was said so far, once the text is in it."""
    deadline = time.monotonic() + seconds
    while text not in (said := output.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.2)
    return said


@pytest.mark.rasa
def test_doctor_finds_nothing_amiss_while_all_runs(running):
    deadline = time.monotonic() + 100
    while "warn worker" in (result := running.command("doctor")).stdout and time.monotonic() < deadline:
        time.sleep(1)
    assert result.returncode == 0, result.stdout
    assert [line for line in result.stdout.splitlines() if not line.startswith("ok  ")] == [
        "warn backup: nobody watches it -> set SUQIUTONG_BACKUPS to the folder of the nightly backups"
    ]


@pytest.mark.rasa
def test_nothing_is_made_anew_where_all_is_up_to_date(running):
    result = running.command("prepare")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_version_is_told(command):
    assert command("--version").stdout == f"suqiutong {version('suqiutong')}\n"


@pytest.mark.usefixtures("database")
def test_the_keys_of_a_backup_go_where_they_are_told(command, tmp_path):
    done = command("backup", str(tmp_path / "data"), "--keys", str(tmp_path / "keys"))
    assert done.returncode == 0, done.stderr
    data, keys = map(Path, done.stdout.split())
    assert (data.parent, keys.parent) == (tmp_path / "data", tmp_path / "keys")
    assert done.stderr == ""


@pytest.mark.usefixtures("database")
def test_a_backup_is_put_back_by_one_command(command, tmp_path):
    done = command("backup", str(tmp_path / "backups"))
    assert done.returncode == 0, done.stderr
    data, keys = done.stdout.split()
    elsewhere = product_environment(tmp_path / "elsewhere")
    back = run_command("restore", data, "--keys", keys, environment=elsewhere)
    assert back.returncode == 0, back.stderr
    assert back.stdout == "petitions: 0, events: 0, log: holds\n"
    assert "move it away first" in failure(run_command("restore", data, "--keys", keys, environment=elsewhere))
