"""A second reading of policy, deliberately slow: what docs/policy.md and AWS's documentation of IAM say, and nothing else.

Written before, and without looking at, the Swift evaluator, which it judges. Sources, all of the IAM User Guide:
"JSON policy elements: Condition operators", "Multivalued context keys", "Variables and tags", "Resource", "Policy evaluation
logic"; the rules of the two asking effects and of what is not known are docs/policy.md and docs/decisions/0021, 0022, 0024.

Truth is True, False or None (unknown), by Kleene's logic. A resource is a list of parts: a text, RUN (any characters, maybe none) or
ALNUM (one letter or digit), or None for a wholly unknown one. A context maps lower-case key names to a list of texts (an empty one
is an absent key) or to None (not knowable); a key that it does not hold is not knowable, as everywhere in this product.
"""
import base64
import datetime
import decimal
import functools
import ipaddress
import re

# Of patterns: RUN and ONE. Of resources: RUN, ALNUM, and HEAD, a run that holds no colon. FOLDED letters of patterns have either case.
RUN, ONE, ALNUM, HEAD = ("run",), ("one",), ("alnum",), ("head",)
UNREADABLE = object()


# Kleene's logic.
def invert(value):
    return None if value is None else not value


def every(values):
    values = list(values)
    return False if False in values else None if None in values else True


def some(values):
    values = list(values)
    return True if True in values else None if None in values else False


# Languages: what a pattern or a resource may be spelled as. Sets of places are the bits of a number.
@functools.lru_cache(maxsize=100_000)
def takes(symbol, letter):
    if symbol in (RUN, ONE):
        return True
    if symbol == HEAD:
        return letter != ":"
    if symbol == ALNUM:
        return letter.isascii() and letter.isalnum()
    return fold(letter) == symbol[1] if isinstance(symbol, tuple) else letter == symbol


class Word:
    """A pattern or a resource, to be read letter by letter from all places at once."""
    def __init__(self, symbols):
        self.end, self.places = 1 << len(symbols), {}
        for at, symbol in enumerate(symbols):
            self.places[symbol] = self.places.get(symbol, 0) | 1 << at
        self.runs = self.places.get(RUN, 0) | self.places.get(HEAD, 0)
        self.first = self.closure(1)

    def closure(self, places):
        """All places reachable without reading: a run may be empty."""
        while (more := places | (places & self.runs) << 1) != places:
            places = more
        return places

    def taking(self, letter):
        """The places that take the letter."""
        return sum(places for symbol, places in self.places.items() if takes(symbol, letter))

    def step(self, places, taking):
        taken = places & taking
        return self.closure(taken & self.runs | (taken & ~self.runs) << 1)


def covers(pattern, subject):
    return tried(tuple(pattern), tuple(subject))


@functools.lru_cache(maxsize=200_000)
def tried(pattern, subject):
    """True: the pattern covers every spelling of the subject; False: none of them; None: some. By trying all letters that make a
    difference, on all places that both may be at."""
    letters = {s for s in pattern + subject if isinstance(s, str)} | {s[1] for s in pattern if s[0] == "fold"} | {":", "\x00"}
    letters |= {letter.upper() for letter in letters if letter.isascii()}
    letters.add(next(c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" if c not in letters))
    pattern, subject = Word(pattern), Word(subject)
    # Letters that are taken at the same places make no difference to each other.
    moves = {(pattern.taking(letter), taken) for letter in letters if (taken := subject.taking(letter))}
    first = (pattern.first, subject.first)
    seen, todo, inside, outside = {first}, [first], False, False
    while todo:
        held, spelled = todo.pop()
        if spelled & subject.end:
            if held & pattern.end:
                inside = True
            else:
                outside = True
        for pattern_takes, subject_takes in moves:
            if spelled & subject_takes:
                now = (pattern.step(held, pattern_takes), subject.step(spelled, subject_takes))
                if now not in seen:
                    seen.add(now)
                    todo.append(now)
    return True if inside and not outside else False if not inside else None


@functools.lru_cache(maxsize=100_000)
def fold(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


# Texts of policies: wildcards, ${*} ${?} ${$}, and variables.
VARIABLE = re.compile(r"\$\{([*?$])\}|\$\{([^},]*?)(?:,\s*'([^']*)')?\s*\}")


def expand(text, context, wildcards=True):
    """The symbols of a policy's text, and whether they are known: False if a variable has no one value, None if one is not knowable,
    which leaves a RUN in its place."""
    out, at, known = [], 0, True
    for found in VARIABLE.finditer(text):
        out += wild(text[at:found.start()], wildcards)
        at = found.end()
        literal, name, default = found.groups()
        if literal:
            out.append(literal)
            continue
        values = context.get(fold(name.strip()))
        if values is None:
            out.append(RUN)
            known = None if known is True else known
        elif len(values) == 1:
            out += list(values[0])
        elif not values and default is not None:
            out += list(default)
        else:
            known = False
    return out + wild(text[at:], wildcards), known


def wild(text, wildcards):
    return [{"*": RUN, "?": ONE}.get(c, c) if wildcards else c for c in text]


def caseless(items):
    return [("fold", fold(i)) if isinstance(i, str) else i for i in items]


# Resources.
def split_arn(items):
    """Six lists at the first five colons, or None. RUN and ONE stand for no colon before the sixth part."""
    out = [[]]
    for item in items:
        if item == ":" and len(out) < 6:
            out.append([])
        else:
            out[-1].append(item)
    return out if len(out) == 6 else None


def symbols(parts):
    out = []
    for part in parts:
        out += list(part) if isinstance(part, str) else [part]
    return out


def resource_matches(text, resource, context, permits):
    """One pattern of Resource on one resource."""
    if text == "*":
        return True
    pattern, known = expand(text, context)
    if known is False:
        return False
    if resource is None:
        return None
    ours = split_arn(pattern)
    whole = []
    for number, part in enumerate(ours):
        whole += ([":"] if number else []) + (caseless(part) if number < 5 else part)
    subject = symbols(resource["parts"])
    theirs = split_arn(subject)
    verdict = False
    if theirs is not None and theirs[0] == list("arn"):
        theirs = [[HEAD if item == RUN else item for item in part] for part in theirs[:5]] + [theirs[5]]
        subject = []
        for number, part in enumerate(theirs):
            subject += ([":"] if number else []) + part
        verdict = every([covers(caseless(o), t) for o, t in zip(ours[:5], theirs[:5])] + [covers(ours[5], theirs[5])])
        if verdict is not True and permits and presumes(ours, resource):
            verdict = True
    if verdict is not True:
        verdict = False if covers(whole, subject) is False else None
    return verdict if known or verdict is False else None


def presumes(ours, resource):
    """Whether a permit's pattern names what the resource is presumed to be: it matches that text and ends, literally, as the resource does."""
    if not resource.get("presumed") or not isinstance(resource["parts"][-1], str):
        return False
    end = list(resource["parts"][-1])
    theirs = split_arn(list(resource["presumed"]))
    return (ours[5][-len(end):] == end and covers(ours[5], theirs[5]) is True
            and all(covers(caseless(o), t) is True for o, t in zip(ours[:5], theirs[:5])))


# Values.
def as_number(text):
    return decimal.Decimal(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", text) else UNREADABLE


ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
                 r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:[0-9]{2}))?")


def as_date(text):
    if re.fullmatch(r"[0-9]{5,12}", text):
        return decimal.Decimal(text)
    found = ISO.fullmatch(text)
    if not found:
        return UNREADABLE
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    shift = 0
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 14 or minutes > 59:
            return UNREADABLE
        shift = (hours * 60 + minutes) * (-60 if zone[0] == "-" else 60)
    try:
        moment = datetime.datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
                                   tzinfo=datetime.timezone.utc)
    except ValueError:
        return UNREADABLE
    whole = int((moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds())
    return decimal.Decimal(whole - shift) + decimal.Decimal("0." + (fraction or "0"))


def as_bool(text):
    return {"true": True, "false": False}.get(fold(text), UNREADABLE)


def as_binary(text):
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return UNREADABLE
    return decoded if base64.b64encode(decoded).decode() == text else UNREADABLE


def as_address(text):
    try:
        return ipaddress.ip_address(text) if "%" not in text else UNREADABLE
    except ValueError:
        return UNREADABLE


def as_network(text):
    return ipaddress.ip_network(text, strict=False)


def compare_text(folds, wildcards):
    def compare(value, stated, context):
        pattern, known = expand(stated, context, wildcards)
        return covers(caseless(pattern) if folds else pattern, list(value)) if known else known
    return compare


def compare_arn(value, stated, context):
    subject = split_arn(list(value))
    if subject is None or not value.startswith("arn:"):
        return None
    if stated == "*":
        return True
    pattern, known = expand(stated, context)
    if not known:
        return known
    ours = split_arn(pattern)
    return every(covers(o, t) for o, t in zip(ours, subject)) if ours else False


def compare_read(read, holds, read_stated=None):
    def compare(value, stated, context):
        left, right = read(value), (read_stated or read)(stated)
        return None if left is UNREADABLE else holds(left, right)
    return compare


def equal(a, b):
    return a == b


ORDERS = {"Equals": equal, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
          "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b}
# name -> (comparison, negated)
OPERATORS = {
    "StringEquals": (compare_text(False, False), False), "StringNotEquals": (compare_text(False, False), True),
    "StringEqualsIgnoreCase": (compare_text(True, False), False),
    "StringNotEqualsIgnoreCase": (compare_text(True, False), True),
    "StringLike": (compare_text(False, True), False), "StringNotLike": (compare_text(False, True), True),
    "Bool": (compare_read(as_bool, equal), False), "BinaryEquals": (compare_read(as_binary, equal), False),
    "IpAddress": (compare_read(as_address, lambda a, n: a in n, as_network), False),
    "NotIpAddress": (compare_read(as_address, lambda a, n: a in n, as_network), True),
    "ArnEquals": (compare_arn, False), "ArnLike": (compare_arn, False),
    "ArnNotEquals": (compare_arn, True), "ArnNotLike": (compare_arn, True),
}
for kind, reader in (("Numeric", as_number), ("Date", as_date)):
    for order, test in ORDERS.items():
        OPERATORS[kind + order] = (compare_read(reader, test), False)
    OPERATORS[kind + "NotEquals"] = (compare_read(reader, equal), True)
BY_NAME = {fold(name): rule for name, rule in OPERATORS.items()}


def listed(value):
    return value if isinstance(value, list) else [value]


def key_holds(operator, key, stated, context):
    """One operator on one key."""
    operator = fold(operator)
    stated = [str(v).lower() if isinstance(v, bool) else str(v) for v in listed(stated)]
    values = context.get(fold(key))
    if operator == "null":
        # A list of empty texts may be the "null dataset" of documentation, or values.
        absent = None if values is None or values and not any(values) else not values
        wanted = {fold(s) == "true" for s in stated}
        return values is not None or None if wanted == {True, False} else None if absent is None else absent in wanted
    if values is None:
        return None
    setting, _, plain = operator.rpartition(":")
    optional = plain.endswith("ifexists")
    compare, negated = BY_NAME[plain[:-len("ifexists")] if optional else plain]

    def element(value):
        # A variable without a value: documentation has both "matches nothing" and "the statement is invalid" for negated operators.
        verdicts = []
        for text in stated:
            verdict = compare(value, text, context)
            if negated and verdict is False and plain.startswith(("string", "arn")) and expand(text, context)[1] is False:
                verdict = None
            verdicts.append(verdict)
        return invert(some(verdicts)) if negated else some(verdicts)

    if setting == "forallvalues":
        verdict = every(element(v) for v in values)
        return None if values and not any(values) and verdict is False else verdict
    if setting == "foranyvalue":
        if not values:
            # "If the key is not present, evaluate as true" against a set operator that says false.
            return None if optional else False
        return some(element(v) for v in values)
    if not values:
        return True if optional else negated
    return element(values[0]) if len(values) == 1 else None


def condition_holds(condition, context):
    return every(key_holds(operator, key, stated, context)
                 for operator, keys in (condition or {}).items() for key, stated in keys.items())


def glob(pattern, text, folds=False):
    pattern = wild(pattern, True)
    return covers(caseless(pattern) if folds else pattern, list(text)) is True


def action_matches(patterns, action):
    return any(p == "*" or glob(p, action, True) for p in listed(patterns))


PERMITS = ("Allow", "AllowWithApproval")


def elements(statement, agents, call, pair, context):
    """What must hold, one after another, for a statement to take effect on a pair: names and truths."""
    yield "Agents of the document", any(glob(a, call["agent"]) for a in listed(agents))
    if "Agents" in statement:
        yield "Agents of the statement", any(glob(a, call["agent"]) for a in listed(statement["Agents"]))
    if "Action" in statement:
        yield "Action", action_matches(statement["Action"], pair["action"])
    else:
        yield "NotAction", not action_matches(statement["NotAction"], pair["action"])
    resource, permits = pair["resource"], statement["Effect"] in PERMITS
    stated = listed(statement.get("Resource", statement.get("NotResource")))
    touched = some(resource_matches(t, resource, context, permits) for t in stated)
    if "NotResource" in statement:
        # An exception that a missing value made void, or may have, is no leave to touch everything.
        void = any(t != "*" and expand(t, context)[1] is not True for t in stated)
        yield "NotResource", None if touched is False and void else invert(touched)
    else:
        yield "Resource", touched
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            yield (operator, key), key_holds(operator, key, values, context)


def statement_matches(statement, agents, call, pair, context):
    verdict = True
    for _, truth in elements(statement, agents, call, pair, context):
        if truth is False:
            return False
        verdict = verdict and truth
    return verdict


def names_action(statement, action):
    return any(fold(p) == fold(action) for p in listed(statement.get("Action", [])))


def own_keys(call, pair):
    """The keys that the gateway fills for every call, and its own (docs/policy.md, "Conditions")."""
    level, moment = pair.get("level"), call.get("at", decimal.Decimal(0))
    keys = {
        "aws:requestedregion": ["us-east-1"],
        # The clock is cut to milliseconds where it is written out.
        "aws:currenttime": [written(moment)], "aws:epochtime": [str(int(moment))],
        "countersign:agent": [call["agent"]], "countersign:strength": ["listener"],
        "countersign:task": [call["task"]] if call.get("task") is not None else [],
        "countersign:accesslevel": [level] if level else None,
        "countersign:mutates": ["false" if level in ("Read", "List") else "true"],
        "countersign:sensitivity": [pair.get("sensitivity") or "data"],
        "countersign:protocol": ["awsJson1.0"], "countersign:itemcount": ["1"], "countersign:bodybytes": ["0"],
        "countersign:hourutc": [str(int(moment) // 3600 % 24)],
    }
    parts = split_arn(symbols(pair["resource"]["parts"])) if pair["resource"] else None
    account = parts[4] if parts and parts[0] == list("arn") else []
    if len(account) == 12 and all(a in list("0123456789") for a in account):
        keys["aws:resourceaccount"] = ["".join(account)]
    return keys


def written(moment):
    whole = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(moment))
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + f".{int(moment % 1 * 1000):03d}Z"


def decide_pair(documents, call, pair):
    """("allow" | "ask" | "deny", the ids of the statements that decided, in order)."""
    # What the request itself says comes first.
    said = {**call["context"], **pair.get("context", {})}
    context = own_keys(call, pair) | {name: values for name, values in said.items() if values is not None}
    truths = []
    if is_named(pair["action"]):
        for document in documents:
            for statement in listed(document["Statement"]):
                truth = statement_matches(statement, document["Agents"], call, pair, context)
                truths.append((document["Id"], statement, truth))
    return verdict_on(truths, call, pair)


def is_named(action):
    """What has no name is nobody's to allow, also under `*`."""
    prefix, name = action.split(":", 1)
    return bool(prefix and name) and not set(action) & set("*?")


def verdict_on(truths, call, pair):
    """What the statements that take effect make of a pair. `truths`: a document's id, a statement of it, and its truth."""
    matched = {"Deny": [], "RequireApproval": [], "Allow": [], "AllowWithApproval": []}
    licensed = False
    everything = set()
    for document, statement, truth in truths:
        effect = statement["Effect"]
        if truth is False or truth is None and effect in PERMITS:
            continue
        if effect != "Deny" and names_action(statement, pair["action"]):
            licensed = True
        elif call.get("vends") and effect in PERMITS:
            continue
        name = f"{document}/{statement['Sid']}"
        if "*" in listed(statement.get("Resource", [])):
            everything.add(name)
        matched[effect].append(name)
    if matched["Deny"]:
        return "deny", sorted(matched["Deny"])
    if call.get("vends") and not licensed:
        return "deny", []
    if pair["resource"] is None:
        # Asked under "*"; a floor that it may lie under binds as well.
        asks = matched["RequireApproval"]
        if not everything & set(asks):
            asks = asks + [i for i in matched["AllowWithApproval"] if i in everything]
        return ("ask", sorted(asks)) if everything & set(asks) else ("deny", [])
    for effect, verdict in (("RequireApproval", "ask"), ("Allow", "allow"), ("AllowWithApproval", "ask")):
        if matched[effect]:
            return verdict, sorted(matched[effect])
    return "deny", []


STRICTNESS = ["allow", "ask", "deny"]


def decide(documents, call):
    """The strictest pair decides; each pair's own verdict is given beside it. A call without pairs is denied, one that is barred too."""
    if call.get("bar") or not call["pairs"]:
        return "deny", [("deny", [])]
    if [p["action"] for p in call["pairs"]] == ["sts:GetCallerIdentity"]:
        return "allow", [("allow", [])]
    verdicts = [decide_pair(documents, call, pair) for pair in call["pairs"]]
    return max((v for v, _ in verdicts), key=STRICTNESS.index), verdicts


# The terms of a question: every quorum, the shortest lifetimes, the fewest uses, every duty (docs/policy.md, "Effects", "Approval").
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text):
    return int(text[:-1]) * SECONDS[text[-1]]


def terms_of(approvals):
    """`Approval` blocks of all statements that ask, as one."""
    def least(key, otherwise, read):
        return min(read(a.get(key, otherwise)) for a in approvals)
    quorums = [{"anyOne": True, "needs": [[n, 1] for n in listed(a["Approvers"])]} if not isinstance(a["Approvers"], dict)
               else {"anyOne": False, "needs": [[n, int(c)] for n, c in a["Approvers"].items()]} for a in approvals]
    for quorum in quorums:
        quorum["needs"].sort()
    holds = [seconds(a["Hold"]) for a in approvals if a.get("Hold", "auto") != "auto"]
    lapses = [seconds(a["FirstUseWithin"]) for a in approvals if "FirstUseWithin" in a]
    return {"quorums": sorted((q for i, q in enumerate(quorums) if q not in quorums[:i]), key=str), "scope": "exact",
            "grantTTL": least("GrantTTL", "15m", seconds), "maxUses": least("MaxUses", 1, int),
            "pendingTTL": least("PendingTTL", "30m", seconds), "firstUseWithin": min(lapses, default=None),
            "hold": min(holds, default=None), "confirm": any(a.get("Confirm") == "typed" for a in approvals),
            "agentReason": any(a.get("AgentReason") == "required" for a in approvals),
            "reviewReason": any(a.get("ReviewReason") == "required" for a in approvals)}
