"""The ratings (scripts/catalog.d/sensitivity.py): what the generator takes, and each fault by a file that only one check stops."""
import copy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "catalog.d"))

import sensitivity  # noqa: E402

SHAPES = {
    "Text": {"type": "string"}, "Flag": {"type": "boolean"}, "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Login": {"type": "structure", "members": {"Name": {"shape": "Text"}, "Password": {"shape": "Text"},
                                               "nextToken": {"shape": "Text"}, "HasSecret": {"shape": "Flag"}}},
    "Keys": {"type": "structure", "members": {"Key": {"shape": "Pair"}}},
    "Pair": {"type": "structure", "members": {"SecretAccessKey": {"shape": "Text"}, "Again": {"shape": "Keys"}}},
    "Logins": {"type": "structure", "members": {"Items": {"shape": "LoginList"}}},
    "LoginList": {"type": "list", "member": {"shape": "Login"}},
    "Masked": {"type": "structure", "members": {"OldPassword": {"shape": "Text"}}},
    "Copy": {"type": "structure", "members": {"PreSignedUrl": {"shape": "Text"}}},
}
VENDING = {
    "endings": ["password", "token"], "harmless": {"pages": ["nexttoken"]},
    "passedOver": {"shop": {"OldPassword": "replies mask it"}},
    "rows": {"shop": {"GetLogin": "Password", "ListLogins": "Items.Password", "SetLogin": "- the caller chose it"}},
    "presigned": {"shop": ["CopyShop"]}, "unsigned": {"shop": ["Knock"]},
}
RATING = {"metadata": ["*"], "data": ["CopyShop", "List*"],
          "credential": ["GetKeys", "GetLogin", "ListLogins", "SetLogin"]}


def shop():
    """A service of eight operations, some of which reply with secrets."""
    def operation(name, output=None, takes=None, *flags):
        return SimpleNamespace(name=name, output_name=output, input_name=takes, flags=set(flags), sensitivity="unrated")

    return SimpleNamespace(name="shop", shapes=copy.deepcopy(SHAPES), operations=[
        operation("CopyShop", None, "Copy"), operation("GetKeys", "Keys"), operation("GetLogin", "Login"),
        operation("GetMasked", "Masked"), operation("Knock", None, None, "noAuth"), operation("ListLogins", "Logins"),
        operation("ListShops"), operation("SetLogin")])


def ratings(rating=None, vending=None, service=None):
    made = sensitivity.Ratings.__new__(sensitivity.Ratings)
    row = {"read": sensitivity.names_digest(service or shop()), **(rating or RATING)}
    made.ratings, made.vending = {"services": {"shop": row}}, vending or VENDING
    return made


def test_an_operation_takes_the_strictest_entry_and_vends_by_its_reply():
    service = shop()
    assert ratings().apply([service]) == []
    assert {one.name: one.sensitivity for one in service.operations} == {
        "CopyShop": "data", "GetKeys": "credential", "GetLogin": "credential", "GetMasked": "metadata",
        "Knock": "metadata", "ListLogins": "credential", "ListShops": "data", "SetLogin": "credential"}
    vends = {one.name for one in service.operations if "vendsCredentials" in one.flags}
    assert vends == {"GetKeys", "GetLogin", "ListLogins", "SetLogin"}
    assert {one.name for one in service.operations if "replyCarriesKeys" in one.flags} == {"GetKeys"}


def test_a_service_without_a_row_stays_unrated():
    service, other = shop(), SimpleNamespace(name="new", shapes={}, operations=[])
    assert ratings().apply([service, other]) == ["new"]


def test_an_operation_that_nobody_read_stops_the_generator():
    service = shop()
    with pytest.raises(ValueError, match="was read as"):
        late = ratings()
        service.operations.append(SimpleNamespace(name="GetNew", output_name=None, input_name=None, flags=set()))
        late.apply([service])
    renamed = shop()
    renamed.operations[-1].name = "PutLogin"
    with pytest.raises(ValueError, match="was read as"):
        ratings().apply([renamed])


BAD_RATINGS = {
    "a name that is no operation": ({**RATING, "data": ["CopyShop", "List*", "GetGone"]}, "`GetGone` decides nothing"),
    "a pattern that matches nothing": ({**RATING, "data": ["CopyShop", "List*", "Put*"]}, "`Put.` decides nothing"),
    "a pattern that decides nothing": ({**RATING, "data": ["CopyShop", "List*", "SetL*"]}, "`SetL.` decides nothing"),
    "a name that is rated twice": ({**RATING, "data": ["CopyShop", "List*", "GetLogin"]}, "`GetLogin` decides nothing"),
    "an entry twice": ({**RATING, "data": ["CopyShop", "List*", "List*"]}, "`List.` decides nothing"),
    "an operation left out": ({**RATING, "metadata": ["Get*"]}, "shop.Knock is not rated"),
    "another level": ({**RATING, "secret": ["Knock"]}, "has the keys"),
    "a vending reply rated data": ({**RATING, "credential": ["GetKeys", "ListLogins", "SetLogin"], "data": [
        "CopyShop", "List*", "GetLogin"]}, "GetLogin vends credentials and is rated data"),
    "a reply with keys rated data": ({**RATING, "credential": ["GetLogin", "ListLogins", "SetLogin"], "data": [
        "CopyShop", "List*", "GetKeys"]}, "GetKeys vends credentials and is rated data"),
    "a presigned URL rated metadata": ({**RATING, "data": ["List*"]}, "CopyShop carries a presigned URL"),
}


@pytest.mark.parametrize("fault", BAD_RATINGS)
def test_a_rating_is_refused_for(fault):
    rating, why = BAD_RATINGS[fault]
    with pytest.raises(ValueError, match=why):
        ratings(rating).apply([shop()])


def without(section, *path):
    """VENDING with the value at `path` of the section taken out, or the last word replaced if it is a pair."""
    rows = copy.deepcopy(VENDING)
    place = rows[section]
    for step in path[:-1]:
        place = place[step]
    last = path[-1]
    if isinstance(last, tuple):
        place[last[0]] = last[1]
    elif isinstance(place, list):
        place.remove(last)
    else:
        del place[last]
    return rows


BAD_VENDING = {
    "a password that nobody listed": (without("rows", "shop", "GetLogin"), "GetLogin has `Password`"),
    "a password deep in the reply": (without("rows", "shop", "ListLogins"), "ListLogins has `Items.Password`"),
    "a token that is not harmless": ({**VENDING, "harmless": {}, "rows": {"shop": {
        name: path for name, path in VENDING["rows"]["shop"].items() if name != "GetLogin"}}, "endings": ["token"]},
                                     "GetLogin has `nextToken`"),
    "a masked password without its reason": (without("passedOver", "shop", "OldPassword"), "GetMasked has `OldPassword`"),
    "a row without its operation": (without("rows", "shop", ("GetGone", "Password")), "no operation shop.GetGone"),
    "a row without its member": (without("rows", "shop", ("GetLogin", "Secret")), "has no `Secret`"),
    "an ending that no reply has": ({**VENDING, "endings": ["password", "token", "pin"]}, "no reply has .'pin'"),
    "a harmless name that no reply has": ({**VENDING, "harmless": {"pages": ["nexttoken", "pagetoken"]}},
                                          "no reply has .'pagetoken'"),
    "a passed over member that no reply has": (without("passedOver", "shop", ("Gone", "why")), "no reply has .*Gone"),
    "a service that does not exist": ({**VENDING, "rows": {**VENDING["rows"], "shed": {}}}, "no service shed"),
    "a presigned request that is not listed": ({**VENDING, "presigned": {}}, "presigned: shop has"),
    "an unsigned request that is not listed": ({**VENDING, "unsigned": {}}, "unsigned: shop has"),
    "an unsigned request that is signed": (without("unsigned", ("shop", ["Knock", "ListShops"])), "unsigned: shop has"),
}


@pytest.mark.parametrize("fault", BAD_VENDING)
def test_the_vending_list_is_refused_for(fault):
    vending, why = BAD_VENDING[fault]
    with pytest.raises(ValueError, match=why):
        ratings(vending=vending).apply([shop()])


def test_a_name_twice_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sensitivity, "HERE", str(tmp_path))
    (tmp_path / "vending.json").write_text('{"rows": {"shop": {}, "shop": {}}}')
    with pytest.raises(ValueError, match="vending.json: a name twice"):
        sensitivity.read("vending.json")
