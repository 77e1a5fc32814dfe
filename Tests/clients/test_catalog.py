"""The catalog's text, its report and the widening gate (scripts/catalog.d), each loss by a row that only it would stop."""
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "catalog.d"))

from gate import binary  # noqa: E402
import reference  # noqa: E402
import twin  # noqa: E402
import widening  # noqa: E402

SERVICES = ROOT / "Sources" / "CCatalog" / "services"
TEXT = """# What the catalog knows of shop.
service shop
version 2026-01-01
protocols restJSON
signs shop
iam shop
marks perResourceHost
endpoint plain shop.{region}.{dns}
type shop cart arn:${Partition}:shop:${Region}:${Account}:cart/${CartId}
type shop user arn:${Partition}:shop:${Region}:${Account}:user/${UserName}
keys aws:TagKeys of shop: PutCart

PutCart  PUT /carts/{id}
  data vendsCredentials replyCarriesKeys noAuth bodyless
  idempotent by clientToken
  host cart-
  key shop:Kind from kind
  shop:PutCart write
    cart* arn|name=id; CartId=id
    user UserName=?
  shop:TagResource tagging if tags
    cart* arn|name=id; CartId=id
  iam:PassRole write if roleArn
    role* arn=roleArn; RoleNameWithPath=?
"""
# What is taken out of the text, what stands there instead, and what the report must say of it.
LOSSES = {
    "an action": ("  iam:PassRole write if roleArn\n    role* arn=roleArn; RoleNameWithPath=?\n", "",
                  "action iam:PassRole if roleArn is no more needed"),
    "an action only on condition": ("  shop:PutCart write\n", "  shop:PutCart write if id\n",
                                    "action shop:PutCart is no more needed"),
    "a condition": ("if tags", "if labels", "action shop:TagResource if tags is no more needed"),
    "a resource type": ("    user UserName=?\n", "", "shop:PutCart loses the resource type user"),
    "a resource that is required": ("    cart* arn|name=id; CartId=id\n    user", "    cart arn|name=id; CartId=id\n    user",
                                    "shop:PutCart no longer always names a cart"),
    "all resources": ("  shop:PutCart write\n", "  shop:PutCart write star\n", "shop:PutCart is on * and on no resource any more"),
    "a resource but on condition": ("CartId=id\n    user", "CartId=id; if tags & !id\n    user",
                                    "shop:PutCart names a cart only if tags & !id"),
    "where a name comes from": ("CartId=id\n    user", "CartId=other\n    user", "shop:PutCart cart CartId: id -> other"),
    "where an ARN comes from": ("arn=roleArn", "arn=otherArn", "iam:PassRole role arn: roleArn -> otherArn"),
    "a name": ("CartId=id\n    user", "CartId=?\n    user", "shop:PutCart cart CartId: id -> ?"),
    "an ARN format": (":cart/${CartId}", ":basket/${CartId}", "type `shop cart arn:*:cart/*` is no more"),
    "a level": ("shop:PutCart write", "shop:PutCart read", "level of shop:PutCart write -> read"),
    "sensitivity": ("  data vends", "  metadata vends", "sensitivity data -> metadata"),
    "a rating": ("  data vends", "  vends", None),
    "vending": ("vendsCredentials ", "", "vendsCredentials is no more"),
    "keys in the reply": ("replyCarriesKeys ", "", "replyCarriesKeys is no more"),
    "that it is not relayed": (" noAuth", "", "noAuth is no more"),
    "idempotency": ("by clientToken", "by clientToken id", "idempotent by ['clientToken'] -> ['clientToken', 'id']"),
    "where it is recognized": ("PUT /carts/{id}", "PUT /{id}", "recognized elsewhere: `PUT /carts/{id}` -> `PUT /{id}`"),
    "where it is sent": ("host cart-", "host basket-", "sent elsewhere: `cart-` -> `basket-`"),
    "a condition key": ("key shop:Kind from kind", "key shop:Kind absent", "condition key shop:Kind: from kind -> absent"),
    "the operation": (TEXT[TEXT.index("PutCart  PUT"):], "", "the operation is gone"),
    "the service's host": ("endpoint plain shop.{region}", "endpoint plain store.{region}", "endpoint `plain shop.*` is no more"),
    "the service's protocol": ("protocols restJSON", "protocols restXML", "protocols `restJSON` is no more"),
    "that it lives on hosts of its resources": ("marks perResourceHost\n", "", "marks `perResourceHost` is no more"),
}


def losses(old, new):
    return [change for change in widening.compare({"shop": old}, {"shop": new}) if change.is_loss]


def acknowledged(*rows, version="v1"):
    return widening.Acknowledged(json.dumps({"from": version, "losses": [
        {"where": where, "what": what, "why": "a test"} for where, what in rows]}))


@pytest.mark.parametrize("what", LOSSES)
def test_a_loss_is_refused_until_it_is_acknowledged(what):
    old, new, said = LOSSES[what]
    assert TEXT.count(old) >= 1
    changes = widening.compare({"shop": TEXT}, {"shop": TEXT.replace(old, new, 1)})
    if said is None:  # Unrated counts as data: the neighbor that is no loss.
        assert changes and not any(change.is_loss for change in changes)
        return
    left, _ = acknowledged().refused(changes, "v1")
    assert left, f"{what} passes the gate"
    rows = [("shop*", change.what) for change in left]
    assert acknowledged(*rows).refused(changes, "v1") == ([], [])
    assert any(widening.fnmatch.fnmatchcase(change.what, widening.escaped(said)) for change in left), [str(one) for one in left]


@pytest.mark.parametrize("what", [what for what in LOSSES if LOSSES[what][2] and what not in (
    "idempotency", "a name", "where it is recognized", "where it is sent", "where a name comes from",
    "where an ARN comes from", "a condition", "an ARN format", "the service's host", "the service's protocol",
    "an action only on condition", "a condition key")])
def test_the_way_back_is_no_loss(what):
    old, new, _ = LOSSES[what]
    assert losses(TEXT.replace(old, new, 1), TEXT) == []


def test_a_change_for_the_better_is_told_and_passes():
    better = TEXT.replace("UserName=?", "UserName=user").replace("tagging if tags", "write")
    changes = widening.compare({"shop": TEXT, "gone": TEXT}, {"shop": better, "new": TEXT})
    assert [str(change) for change in changes if change.is_loss] == ["LOSS gone: the service is gone"]
    told = [change.what for change in changes]
    assert "shop:PutCart user UserName: ? -> user" in told
    assert "level of shop:TagResource tagging -> write" in told
    assert "a new service of 1 operations" in told


def test_an_action_that_becomes_known_is_no_loss_and_one_that_is_forgotten_is_none():
    unknown = TEXT.replace("shop:PutCart write", "shop:PutCart unknown")
    assert losses(unknown, TEXT) == [] and losses(TEXT, unknown) == []


def test_an_acknowledgment_is_good_for_one_version_one_place_and_nothing_idle():
    changes = widening.compare({"shop": TEXT}, {"shop": TEXT.replace("PutCart write", "PutCart read")})
    row = ("shop.PutCart", "level of shop:PutCart *")
    assert acknowledged(row).refused(changes, "v1") == ([], [])
    assert len(acknowledged(row).refused(changes, "v2")[0]) == 1
    assert len(acknowledged(("shop.GetCart", row[1])).refused(changes, "v1")[0]) == 1
    assert len(acknowledged(("[a-z]*.[A-Z]*", row[1])).refused(changes, "v1")[0]) == 1
    assert acknowledged(("*", "level of shop:PutCart write -> read")).refused(changes, "v1") == ([], [])
    left, idle = acknowledged(row, ("shop.PutCart", "noAuth is no more")).refused(changes, "v1")
    assert left == [] and [one["what"] for one in idle] == ["noAuth is no more"]


@pytest.mark.parametrize("row", [
    {"where": "*.*", "what": "noAuth *", "why": "all"}, {"where": "*", "what": "*is no more", "why": "all"},
    {"where": "shop.*", "what": "* *", "why": "all"},
    {"where": "shop.A", "what": "noAuth is no more", "why": ""}, {"where": "shop.A", "what": "noAuth is no more"},
])
def test_an_acknowledgment_of_anything_or_without_a_reason_is_refused(row):
    with pytest.raises(ValueError):
        widening.Acknowledged(json.dumps({"from": "v1", "losses": [row]}))


def test_the_committed_texts_are_read_back_whole():
    count = 0
    for path in sorted(SERVICES.iterdir()):
        text = path.read_text(encoding="utf-8")
        read = twin.parse(text)
        assert read["head"]["service"] == [path.stem]
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
        assert len(read["operations"]) == sum("  " in line for line in lines)
        for name, row in read["operations"].items():
            assert row["binding"] and row["needs"], f"{path.stem}.{name}"
            count += 1
        assert widening.compare({path.stem: text}, {path.stem: text}) == []
    assert count > 18_000


def test_the_version_before_is_the_one_that_git_has():
    folder = "Sources/CCatalog/services"
    texts = widening.committed(str(ROOT), folder, "HEAD")
    there = subprocess.run(["git", "-C", str(ROOT), "ls-tree", "-r", "--name-only", "HEAD", folder], check=True,
                           capture_output=True, text=True).stdout.split()
    assert len(texts) == len(there) > 400
    assert len(widening.digest(texts)) == 64 and widening.digest(texts) != widening.digest({**texts, "shop": TEXT})
    with pytest.raises(ValueError, match="no-such-reference"):
        widening.committed(str(ROOT), folder, "no-such-reference")


def test_the_service_reference_is_held_against_the_catalog(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "shop.json").write_text(json.dumps({
        "Name": "shop", "Version": "v1.4",
        "Actions": [{"Name": "PutCart", "Annotations": {"Properties": {"IsWrite": False, "IsList": True}}}],
        "Operations": [{"Name": "PutCart", "AuthorizedActions": [{"Name": "AddCart", "Service": "shop"}],
                        "SDK": [{"Name": "shop", "Method": "put_cart", "Package": "Boto3"}]}]}))

    class Row:
        def __init__(self, **values):
            self.__dict__.update(values)

    need = Row(prefix="shop", name="PutCart", level="write", known=True, condition="")
    services = [Row(name="shop", operations=[Row(name="PutCart", actions=[need]), Row(name="GetCart", actions=[need])])]
    assert reference.disagreements(services, str(tmp_path)) == [
        "shop.PutCart: the catalog needs shop:PutCart, AWS does not list it",
        "shop.PutCart: AWS lists shop:AddCart, the catalog does not need it",
        "shop:putcart: level write in the catalog, list in AWS's reference"]
    with pytest.raises(ValueError):
        reference.disagreements(services, str(tmp_path / "shop" / "nothing"))


@pytest.fixture
def generator(monkeypatch, tmp_path):
    """scripts/catalog with a catalog that is HEAD's, but for what a test changes; writes are only noted."""
    import build

    class Generator:
        texts = widening.committed(str(ROOT), build.TWIN_PATH, "HEAD")
        written = 0

        def run(self, check=False, acknowledge=None):
            return build.main(SimpleNamespace(service_reference=None, against="HEAD", report=False, check=check,
                                              acknowledge=acknowledge))

        def note(self, *_):
            self.written += 1

    made = Generator()
    (tmp_path / "acknowledged.json").write_text(json.dumps({"about": "a test", "from": "none", "losses": []}))
    monkeypatch.setattr(build, "ACKNOWLEDGED", str(tmp_path / "acknowledged.json"))
    monkeypatch.setattr(build, "Catalog", lambda: SimpleNamespace(unrated=[]))
    monkeypatch.setattr(build.binary, "write", lambda _: Path(build.OUTPUT).read_bytes())
    monkeypatch.setattr(build.twin, "write", lambda _: made.texts)
    monkeypatch.setattr(build, "write_all", made.note)
    return made


def test_the_generator_writes_nothing_with_a_loss_until_it_is_acknowledged(generator):
    assert generator.run() == 0 and generator.written == 1
    generator.texts = {**generator.texts, "sns": generator.texts["sns"].replace("sns:Publish write", "sns:Publish list")}
    assert generator.run() == 1 and generator.written == 1
    assert generator.run(acknowledge="topics are lists now") == 0 and generator.written == 2
    assert generator.run() == 0 and generator.written == 3
    generator.texts = {**generator.texts, "sqs": generator.texts["sqs"].replace("sqs:SendMessage write", "sqs:SendMessage read")}
    assert generator.run() == 1 and generator.written == 3


def test_a_text_in_the_tree_that_differs_by_a_byte_or_is_not_there_fails_the_check(generator, monkeypatch):
    import build

    there = generator.texts
    monkeypatch.setattr(build, "folder_texts", lambda: there)
    assert generator.run(check=True) == 0
    for changed in ({**there, "sns": there["sns"] + "\n"}, {name: there[name] for name in there if name != "sns"},
                    {**there, "shop": TEXT}):
        monkeypatch.setattr(build, "folder_texts", lambda: changed)
        assert generator.run(check=True) == 1
    monkeypatch.setattr(build, "folder_texts", lambda: there)
    monkeypatch.setattr(build.binary, "write", lambda _: b"another")
    assert generator.run(check=True) == 1 and generator.written == 0


def compare_endpoints(command, *options):
    return subprocess.run([sys.executable, str(ROOT / "scripts" / "compare-endpoints"), "--command", command, *options],
                          capture_output=True, text=True)


def test_the_hosts_are_those_of_botocore_s_own_resolver():
    answer = compare_endpoints(binary(), "--sample", "40")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " 0 differ" in answer.stdout


def test_a_host_that_is_not_botocore_s_is_noticed(tmp_path):
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\n{binary()} \"$@\" | sed 's/eu-west-1[.]amazonaws/eu-west-2.amazonaws/'\n")
    liar.chmod(0o755)
    answer = compare_endpoints(str(liar), "--sample", "10")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "in eu-west-1, plain: botocore" in answer.stdout and " 0 differ" not in answer.stdout


def test_the_program_shows_what_the_catalog_knows():
    shown = subprocess.run([binary(), "catalog", "show", "dynamodb:Query"], check=True, capture_output=True, text=True)
    assert "dynamodb:LeadingKeys" in shown.stdout
    wrong = subprocess.run([binary(), "catalog", "show", "dynamodb:Qery"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "`dynamodb:Query`" in wrong.stderr
    row = json.loads(subprocess.run([binary(), "catalog", "show", "iam:CreateUser", "--json"], check=True,
                                    capture_output=True, text=True).stdout)
    assert row["actions"][0]["level"] == "Write" and row["endpoint"]["signing_region"] == "us-east-1"
    page = subprocess.run([binary(), "catalog", "coverage", "--form", "markdown"], check=True, capture_output=True)
    assert page.stdout == (ROOT / "docs" / "catalog.md").read_bytes()
