"""Whatever people do in whatever order: no dead end, no negative clock, a chain that holds, counts that add up."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from petitions.cases import act, allowed_actions, running_clocks
from petitions.errors import PetitionError
from petitions.lifecycle import own_lifecycle
from petitions.listing import count_by_state
from petitions.log import PETITIONER, SYSTEM, Actor, replay, snapshot_of, verify
from petitions.model import Petition
from petitions.ticking import tick
from storage import begin_writing
from suqiutong.database import make_engine
from tests.integration.cases import DISTRICT, HALL, NOW, OTHER_STATION, STATION, file_case, person, route

LIFECYCLE = own_lifecycle()
UNITS = (STATION, OTHER_STATION, HALL, DISTRICT)
PEOPLE = [PETITIONER, *(person(role, unit) for role in ("operator", "handler", "supervisor") for unit in UNITS)]
ACTIONS = sorted({row.action for row in LIFECYCLE.transitions})
VALUES = {
    "text": st.just("理由"),
    "word": st.just("诉讼"),
    "unit": st.sampled_from(UNITS),
    "integer": st.integers(1, 5),
    "boolean": st.booleans(),
}
SPANS = st.sampled_from([timedelta(), timedelta(minutes=50), timedelta(days=1), timedelta(days=6), timedelta(days=40)])
OWN_REFUSALS = {
    "too_late",
    "too_early",
    "already_extended",
    "no_accusation",
    "same_unit",
    "no_such_ticket",
    "not_redone",
    "wrong_fields",
    "claimed",
    "concluded_matter",
    "others_joined",
    "not_splittable",
}


def machine(new_database: Callable[[], URL]) -> type[RuleBasedStateMachine]:
    """The machine, each run of it on a database of its own."""

    class Casework(RuleBasedStateMachine):
        """A few petitions, and everybody who may do something with them."""

        @initialize(first=st.sampled_from(UNITS))
        def begin(self, first: str) -> None:
            self.engine = make_engine(new_database().render_as_string(hide_password=False))
            self.session = Session(self.engine, expire_on_commit=False)
            self.now = NOW
            self.petitions = [file_case(self.session, f"form-{i}", where=route(first)) for i in range(2)]
            # Whether a petition comes with its clocks is up to the garbage collector; loaded later, they would begin a
            # transaction that reads, in which the next step could not write.
            assert all(map(running_clocks, self.petitions))
            self.session.commit()

        @rule(span=SPANS)
        def time_passes(self, span: timedelta) -> None:
            self.now += span
            tick(self.session, self.now)
            self.session.commit()

        @rule(data=st.data(), which=st.integers(0, 1))
        def somebody_does_what_they_may(self, data: st.DataObject, which: int) -> None:
            petition = self.petitions[which]
            choices = [(who, action) for who in PEOPLE for action in allowed_actions(petition, who)]
            # Who could end it is always there while nothing has ended it.
            assert choices or LIFECYCLE.states[petition.state].is_ending
            if not choices:
                return
            actor, action = data.draw(st.sampled_from(choices))
            row = next(row for row in LIFECYCLE.rows(petition.state) if row.action == action)
            fields = {name: self.value(data, name, which) for name in row.needs}
            before = (petition.state, petition.event_count)
            begin_writing(self.session)
            refusal = self.refusal(petition, action, actor, fields)
            if refusal is not None:
                assert refusal in OWN_REFUSALS
                assert (petition.state, petition.event_count) == before
            self.session.commit()

        @rule(which=st.integers(0, 1), action=st.sampled_from(ACTIONS), who=st.sampled_from(PEOPLE))
        def somebody_tries_what_they_may_not(self, which: int, action: str, who: Actor) -> None:
            petition = self.petitions[which]
            if action in allowed_actions(petition, who):
                return
            begin_writing(self.session)
            before = snapshot_of(petition)
            assert self.refusal(petition, action, who, {}) in {"not_allowed", "not_yours"}
            assert snapshot_of(petition) == before
            self.session.commit()

        def refusal(self, petition: Petition, action: str, who: Actor, fields: dict[str, object]) -> str | None:
            """Why this step was refused; None when it was made."""
            try:
                act(self.session, petition.id, action, who, fields, now=self.now, expected_version=petition.version)
            except PetitionError as error:
                return error.code
            return None

        def value(self, data: st.DataObject, name: str, which: int) -> object:
            kind = LIFECYCLE.fields[name].type
            return self.petitions[1 - which].number if kind == "ticket" else data.draw(VALUES[kind])

        @invariant()
        def every_clock_is_sound(self) -> None:
            for petition in self.petitions:
                running = running_clocks(petition)
                assert len({clock.clock for clock in running}) == len(running)
                for clock in running:
                    assert clock.amount >= 0
                    assert clock.due_at >= clock.counted_from >= clock.started_at
                if LIFECYCLE.states[petition.state].is_ending:
                    assert all(clock.is_window for clock in running)
                else:
                    # Somebody is always owed something, or it is the resident's turn.
                    assert running

        @invariant()
        def the_log_holds_and_tells_the_same(self) -> None:
            with Session(self.engine) as reader:
                assert verify(reader).holds
                counts = count_by_state(reader, SYSTEM, now=self.now)
                assert sum(counts.values()) == reader.scalar(select(func.count()).select_from(Petition)) == 2
            for petition in self.petitions:
                with Session(self.engine) as reader:
                    assert replay(reader, petition.id, self.now) == snapshot_of(petition)

        def teardown(self) -> None:
            if hasattr(self, "session"):
                self.session.close()
                self.engine.dispose()

    return Casework


def test_no_way_through_the_table_goes_wrong(new_database: Callable[[], URL]) -> None:
    run_state_machine_as_test(
        machine(new_database),
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
