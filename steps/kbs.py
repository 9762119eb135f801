"""simple-kbs, its database, and the policies in it."""

from __future__ import annotations

import uuid

from pytest_bdd import given, parsers, then, when

from fixtures.run import Run
from lab.broker import Broker
from lab.changes.kbs import KbsSource
from lab.comparison import compare
from lab.confidential import ConfidentialPods, KbcName
from lab.errors import Unreachable
from lab.host import Host
from lab.kata import KataConfiguration
from lab.kbs.outage import lost_its_database
from lab.launch_policy import LaunchPolicies, another_digest
from lab.launches import Launch
from lab.outcome import Pod
from lab.profile import Profile

# What an error calls the two. That they answer is what two clauses promise; that the host does is not.
KBS, DATABASE = "kbs", "database"


@then("docker compose tells its version")
def have_compose(host: Host) -> None:
    """Clause K-1.1: the plugin is executed."""
    asked = host.run("docker compose version", check=False, reads=True)
    assert asked.succeeded, f"docker has no plugin compose: {asked.stderr.strip()}"
    said = asked.stdout.strip() or "nothing"
    assert said.startswith("Docker Compose version "), f"`docker compose version` tells none, but: {said}"


@then("simple-kbs is checked out at the profile's tag")
def be_at_tag(run: Run, host: Host, profile: Profile) -> None:
    """Clause K-1.2: the folder is the running containers', or else the guide's."""
    source = KbsSource(host, profile.kbs)
    tag = source.tag()
    holds = compare(run.record, "simple-kbs' tag", tag, "is", profile.kbs.tag)
    assert holds, f"{source.folder()} is at {tag or 'no tag'}, not at {profile.kbs.tag}"


@then("files of the checkout that differ from the tag's are reported")
def report_differences(run: Run, host: Host, profile: Profile) -> None:
    """Clause K-1.2: a lab may have to pin an image there, and a reader must know."""
    KbsSource(host, profile.kbs).tell_differences(run.record)


@given("simple-kbs answers")
def require_answer(broker: Broker) -> None:
    """Precondition: clause K-1.3 owns the fact."""
    broker.require_answer()


@given("no policy on the guide's key and keyset")
def clear_policies(launch_policies: LaunchPolicies) -> None:
    """Take policies that others left off the key, for the time of the scenario."""
    launch_policies.clear()


@then("one container of simple-kbs' server and one of its database are running")
def find_containers(broker: Broker) -> None:
    """Clause K-1.3."""
    for what, names in (("server", broker.servers()), ("database", broker.databases())):
        found = ", ".join(names) or "none"
        assert len(names) == 1, f"one running container should be simple-kbs' {what}, found {found}"


@then("simple-kbs answers a request for a launch that it does not know with its own refusal")
def refuse_unknown_launch(broker: Broker, profile: Profile) -> None:
    """Clause K-1.3: an answer of its own, and not only an open port."""
    try:
        answer = broker.service.get_online_secret(str(uuid.uuid4()), str(uuid.uuid4()), profile.kbs.key_id)
    except Unreachable as lost:
        if lost.service != KBS:
            raise
        raise AssertionError(f"simple-kbs does not answer: {lost.cause}") from None
    assert answer.status == "INTERNAL", f"{answer.status} {answer.text}"
    assert answer.text.startswith("Connection not found"), answer.text
    assert not lost_its_database(answer.text), f"simple-kbs does not reach its database: {answer.text}"


@then("the database answers at the address of its container")
def reach_database(broker: Broker, profile: Profile) -> None:
    """Clause A-2.4: the address that the guide's pipeline finds, and a login there."""
    address = broker.container_address(profile.kbs.database_container)
    try:
        assert broker.database_at(address).last_policy_id() >= 0
    except Unreachable as lost:
        if lost.service != DATABASE:
            raise
        raise AssertionError(f"the database does not answer: {lost.cause}") from None


@then("the database holds the guide's key, and the guide's keyset lists it")
def hold_key(broker: Broker) -> None:
    """Clause K-1.4."""
    wrong = broker.wrong_stock()
    assert wrong == [], "; ".join(wrong)


@then("the KBS recorded the launch under the digest that the suite computes")
def record_launch(broker: Broker, confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Clauses A-2.3, K-1.5: the KBS records a launch only after the PSP's measurement of it verified."""
    launch = confidential_pods.launch_of(pod)
    assert broker.launches(launch.digest), broker.not_recorded(launch.digest)


@then("the KBS's log shows its launch under the digest that the suite computes")
def log_launch(confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Clause W-4.3: an offline launch leaves no connection. Its secret opens for what was measured only."""
    seen = confidential_pods.requests_at_run_time(pod) + 1
    digest = confidential_pods.launch_of(pod).digest
    assert seen > 0, f"the KBS's log shows no launch with the digest {digest}, to which the pod's VM measures"


@then("the KBS gives the key to that launch when the suite asks")
def give_key(broker: Broker, confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Ask for the key in the name of the launch that the KBS recorded."""
    launch = confidential_pods.launch_of(pod)
    answer = broker.key_for(launch.digest)
    assert answer is not None, broker.not_recorded(launch.digest)
    assert answer.status == "OK", f"{answer.status} {answer.text}"


@then(parsers.parse('the KBS refuses the key to that launch with "{cause}"'))
def refuse_key(broker: Broker, confidential_pods: ConfidentialPods, pod: Pod, cause: str) -> None:
    """Clause A-2.7: the cause in the KBS's own words, for the launch that it recorded."""
    launch = confidential_pods.launch_of(pod)
    answer = broker.key_for(launch.digest)
    assert answer is not None, f"the KBS recorded no launch with {launch.digest}"
    assert answer.status != "OK", "the KBS gave the key to a launch that its policy does not list"
    assert (answer.status, answer.text) == ("INTERNAL", cause), f"{answer.status} {answer.text}"


@then("the KBS gave that launch its secret and nothing more, and recorded no connection for it")
def give_secret_only(broker: Broker, confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Clause W-4.4: the launch secret was all that was asked."""
    launch, more = confidential_pods.launch_of(pod), confidential_pods.requests_at_run_time(pod)
    assert broker.launches(launch.digest) == [], "an offline launch has a connection"
    assert more >= 0, "the KBS's log does not show the launch"
    assert more == 0, f"the KBS answered the launch {more} times more than its launch secret"


@then("the KBS gave that launch more than its secret, and recorded its connection")
def give_more(broker: Broker, confidential_pods: ConfidentialPods, pod: Pod) -> None:
    """Clause W-4.4, the control: a KBC that does talk to the KBS is seen doing so."""
    launch = confidential_pods.launch_of(pod)
    assert broker.launches(launch.digest), "an online launch has no connection"
    assert confidential_pods.requests_at_run_time(pod) > 0, "the KBS's log does not show the key request"


@given("a keyset of the suite's own without the guide's key", target_fixture="keyset")
def keyset_without_key(launch_policies: LaunchPolicies) -> str:
    """A keyset that exists and is empty."""
    return launch_policies.own_keyset([])


@given("a keyset of the suite's own with the guide's key", target_fixture="keyset")
def keyset_with_key(launch_policies: LaunchPolicies, profile: Profile) -> str:
    """A keyset like the guide's."""
    return launch_policies.own_keyset([profile.kbs.key_id])


@when("a policy that lists another digest is set on the guide's key", target_fixture="written_policy")
def hold_key_to_another(launch_policies: LaunchPolicies) -> int:
    """A policy that no launch meets."""
    policy = launch_policies.write([another_digest()])
    launch_policies.hold_key(policy)
    return policy


@when("a policy that lists its digest is set on the guide's key", target_fixture="written_policy")
def hold_key_to_launch(launch_policies: LaunchPolicies, confidential_pods: ConfidentialPods, pod: Pod) -> int:
    """The policy of the guide's appendix."""
    policy = launch_policies.write([confidential_pods.launch_of(pod).digest])
    launch_policies.hold_key(policy)
    return policy


@then("the database gives that policy back as it was written")
def read_policy_back(broker: Broker, profile: Profile, written_policy: int) -> None:
    """Clause A-2.5: a policy that the KBS cannot read counts as none, so it is read back."""
    key = profile.kbs.key_id
    found = broker.database.policy_of_secret(key)
    held = "no policy" if found is None else f"policy {found}"
    assert found == written_policy, (
        f"the KBS's database holds the secret {key} to {held}, not {written_policy}"
    )
    assert broker.database.policy_is_valid(written_policy), f"policy {written_policy} is not in force"


@given(parsers.parse("a policy that lists its digest is set for the {kbc} KBC"))
def hold_to_launch(
    launch_policies: LaunchPolicies, configuration: KataConfiguration, known_launch: Launch, kbc: KbcName
) -> None:
    """The policy of the guide's appendix, on what this KBC asks for."""
    launch_policies.hold(kbc, configuration, launch_policies.write([known_launch.digest]))


@given(parsers.parse("a policy that lists another digest is set for the {kbc} KBC"))
def hold_to_another(launch_policies: LaunchPolicies, configuration: KataConfiguration, kbc: KbcName) -> None:
    """A policy that no launch meets, on what this KBC asks for."""
    launch_policies.hold(kbc, configuration, launch_policies.write([another_digest()]))
