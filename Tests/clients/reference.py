"""A second reading of policy, deliberately slow: what docs/policy.md and AWS's documentation of IAM say, and nothing else.

Written before, and without looking at, the Swift evaluator, which it judges. Sources, all of the IAM User Guide:
"JSON policy elements: Condition operators", "Multivalued context keys", "Variables and tags", "Resource", "Policy evaluation
logic"; the rules of the two asking effects and of what is not known are docs/policy.md and docs/decisions/0021, 0022, 0024.

Truth is True, False or None (unknown), by Kleene's logic. A resource is a list of parts: a text, RUN (any characters, maybe none) or
ONE (exactly one character), or None for a wholly unknown one. A context maps lower-case key names to a list of texts (an empty one
is an absent key) or to None (not knowable); a key that it does not hold is absent.
"""
import base64
import datetime
import decimal
import ipaddress
import re

RUN, ONE = ("run",), ("one",)
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


# Languages: what a pattern or a resource may be spelled as. A symbol is a character, RUN or ONE.
def symbols(parts):
    out = []
    for part in parts:
        out += [part] if part in (RUN, ONE) else list(part)
    return out


def closure(word, places):
    """All places reachable without reading: a RUN may be empty."""
    places = set(places)
    todo = list(places)
    while todo:
        place = todo.pop()
        if place < len(word) and word[place] == RUN and place + 1 not in places:
            places.add(place + 1)
            todo.append(place + 1)
    return frozenset(places)


def step(word, places, letter, same):
    reached = set()
    for place in places:
        if place == len(word):
            continue
        symbol = word[place]
        if symbol == RUN:
            reached.add(place)
        elif symbol == ONE or same(symbol, letter):
            reached.add(place + 1)
    return closure(word, reached)


def covers(pattern, subject, same=lambda a, b: a == b, without=""):
    """True: the pattern covers every spelling of the subject; False: none of them; None: some.

    `without`: characters that no gap of the subject holds.
    """
    letters = {s for s in pattern + subject if s not in (RUN, ONE)} | {"\x00", "\x01"}
    first = (closure(pattern, {0}), closure(subject, {0}))
    seen, todo, inside, outside = {first}, [first], False, False
    while todo:
        held, spelled = todo.pop()
        if len(subject) in spelled:
            if len(pattern) in held:
                inside = True
            else:
                outside = True
        for letter in letters:
            gap = letter not in without
            moved = set()
            for place in spelled:
                if place == len(subject):
                    continue
                symbol = subject[place]
                if symbol == RUN and gap:
                    moved.add(place)
                elif symbol == ONE and gap or symbol == letter:
                    moved.add(place + 1)
            moved = closure(subject, moved)
            if not moved:
                continue
            now = (step(pattern, held, letter, same), moved)
            if now not in seen:
                seen.add(now)
                todo.append(now)
    return True if inside and not outside else False if not inside else None


def fold(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


# Texts of policies: wildcards, ${*} ${?} ${$}, and variables.
VARIABLE = re.compile(r"\$\{([*?$])\}|\$\{([^},]*?)(?:,\s*'([^']*)')?\s*\}")


def expand(text, context, wildcards=True):
    """The symbols of a policy's text; False if a variable has no one value, None if one is not knowable."""
    out, at, verdict = [], 0, True
    for found in VARIABLE.finditer(text):
        out += wild(text[at:found.start()], wildcards)
        at = found.end()
        literal, name, default = found.groups()
        if literal:
            out.append(literal)
            continue
        values = context.get(fold(name.strip()), [])
        if values is None:
            verdict = None if verdict is True else verdict
        elif len(values) == 1:
            out += list(values[0])
        elif not values and default is not None:
            out += list(default)
        else:
            verdict = False
    out += wild(text[at:], wildcards)
    return out if verdict is True else verdict


def wild(text, wildcards):
    return [{"*": RUN, "?": ONE}.get(c, c) if wildcards else c for c in text]


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


def resource_matches(text, resource, context):
    if text == "*":
        return True
    pattern = expand(text, context)
    if pattern is None or pattern is False:
        # A variable may have been put in the sixth part only; what cannot be known can be anything.
        return pattern
    if resource is None:
        return None
    subject = symbols(resource)
    ours, theirs = split_arn(pattern), split_arn(subject)
    if theirs is None or ours is None:
        return False
    folded = lambda a, b: fold(a) == fold(b)
    by_parts = every([covers(o, t, folded, ":") for o, t in zip(ours[:5], theirs[:5])] + [covers(ours[5], theirs[5])])
    if by_parts is True:
        return True
    return None if as_one_text(pattern, theirs) is not False else by_parts


def as_one_text(pattern, theirs):
    """Whether the pattern, its wildcards crossing colons, covers something of the ARN. Case counts in the sixth part alone."""
    # Every character of the first five parts is marked with a prefix, so that a comparison knows where it stands.
    marked = []
    for number, part in enumerate(theirs):
        if number:
            marked.append("<:")
        for item in part:
            marked.append(item if item in (RUN, ONE) else ("<" if number < 5 else ">") + item)
        if number < 5:
            marked = [("head-" + i[0],) if i in (RUN, ONE) else i for i in marked]
    return any_spelling(pattern, marked)


def any_spelling(pattern, marked):
    plain = {s for s in pattern if s not in (RUN, ONE)} | {m[1] for m in marked if isinstance(m, str)} | {"\x00"}
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        held, place = todo.pop()
        if held == len(pattern) and place == len(marked):
            return True
        moves = []
        if held < len(pattern) and pattern[held] == RUN:
            moves.append((held + 1, place))
        if place < len(marked):
            item = marked[place]
            name = item[0] if isinstance(item, tuple) else None
            if name and name.endswith("run"):
                moves.append((held, place + 1))
            for letter in plain:
                if name:
                    head = name.startswith("head-")
                    if head and letter == ":":
                        continue
                    after = place if name.endswith("run") else place + 1
                else:
                    head = item[0] == "<"
                    if item[1] != letter:
                        continue
                    after = place + 1
                if held < len(pattern):
                    symbol = pattern[held]
                    if symbol == RUN:
                        moves.append((held, after))
                    elif symbol == ONE or symbol == letter or head and fold(symbol) == fold(letter):
                        moves.append((held + 1, after))
        for move in moves:
            if move not in seen:
                seen.add(move)
                todo.append(move)
    return False


def presumed_role(text, action_resource, context):
    """A role asked for by its name alone: `role/<run>name` may be presumed to be the one that a permit ends in."""
    if action_resource is None:
        return False
    theirs = split_arn(symbols(action_resource))
    pattern = expand(text, context)
    if theirs is None or not pattern:
        return False
    ours = split_arn(pattern)
    sixth = theirs[5]
    if ours is None or theirs[2] != list("iam") or sixth[:5] != list("role/") or RUN not in sixth:
        return False
    gap = sixth.index(RUN)
    name = sixth[gap + 1:]
    if gap != 5 or not name or any(s in (RUN, ONE, "/") for s in name):
        return False
    if "/" not in ours[5]:
        return False
    last = ours[5][len(ours[5]) - ours[5][::-1].index("/"):]
    if last != name:
        return False
    folded = lambda a, b: fold(a) == fold(b)
    heads = every(covers(o, t, folded, ":") for o, t in zip(ours[:5], theirs[:5]))
    return heads is True and covers(ours[5], sixth) is not False


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


def compare_text(alike, wildcards):
    def compare(value, stated, context):
        pattern = expand(stated, context, wildcards)
        if pattern is None or pattern is False:
            return pattern
        return covers(pattern, list(value), alike)
    return compare


def compare_arn(value, stated, context):
    subject = split_arn(list(value))
    if subject is None or not value.startswith("arn:"):
        return None
    if stated == "*":
        return True
    pattern = expand(stated, context)
    if pattern is None or pattern is False:
        return pattern
    ours = split_arn(pattern)
    return every(covers(o, t) for o, t in zip(ours, subject)) if ours else False


def compare_read(read, holds, read_stated=None):
    def compare(value, stated, context):
        left, right = read(value), (read_stated or read)(stated)
        return None if left is UNREADABLE else holds(left, right)
    return compare


EXACT, CASELESS = (lambda a, b: a == b), (lambda a, b: fold(a) == fold(b))
ORDERS = {"Equals": lambda a, b: a == b, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
          "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b}
# name -> (comparison, negated)
OPERATORS = {
    "StringEquals": (compare_text(EXACT, False), False), "StringNotEquals": (compare_text(EXACT, False), True),
    "StringEqualsIgnoreCase": (compare_text(CASELESS, False), False),
    "StringNotEqualsIgnoreCase": (compare_text(CASELESS, False), True),
    "StringLike": (compare_text(EXACT, True), False), "StringNotLike": (compare_text(EXACT, True), True),
    "Bool": (compare_read(as_bool, EXACT), False), "BinaryEquals": (compare_read(as_binary, EXACT), False),
    "IpAddress": (compare_read(as_address, lambda a, n: a in n, as_network), False),
    "NotIpAddress": (compare_read(as_address, lambda a, n: a in n, as_network), True),
    "ArnEquals": (compare_arn, False), "ArnLike": (compare_arn, False),
    "ArnNotEquals": (compare_arn, True), "ArnNotLike": (compare_arn, True),
}
for kind, reader in (("Numeric", as_number), ("Date", as_date)):
    for order, test in ORDERS.items():
        OPERATORS[kind + order] = (compare_read(reader, test), False)
    OPERATORS[kind + "NotEquals"] = (compare_read(reader, EXACT), True)
BY_NAME = {fold(name): rule for name, rule in OPERATORS.items()}


def listed(value):
    return value if isinstance(value, list) else [value]


def key_holds(operator, key, stated, context):
    """One operator on one key."""
    operator = fold(operator)
    stated = [str(v).lower() if isinstance(v, bool) else str(v) for v in listed(stated)]
    values = context.get(fold(key), [])
    if operator == "null":
        return None if values is None else some((s == "true") == (not values) for s in stated)
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
            if negated and verdict is False and plain.startswith(("string", "arn")) and expand(text, context) is False:
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


def glob(pattern, text, alike=EXACT):
    return covers(wild(pattern, True), list(text), alike) is True


def action_matches(patterns, action):
    return any(p == "*" or glob(p, action, CASELESS) for p in listed(patterns))


PERMITS = ("Allow", "AllowWithApproval")


def statement_matches(statement, agents, call, pair, context):
    if not any(glob(a, call["agent"]) for a in listed(agents)):
        return False
    if "Agents" in statement and not any(glob(a, call["agent"]) for a in listed(statement["Agents"])):
        return False
    if "Action" in statement:
        named = action_matches(statement["Action"], pair["action"])
    else:
        named = not action_matches(statement["NotAction"], pair["action"])
    if not named:
        return False
    resource = pair["resource"]
    if "Resource" in statement:
        stated = listed(statement["Resource"])
        touched = some(resource_matches(t, resource, context) for t in stated)
        if touched is None and statement["Effect"] in PERMITS and any(presumed_role(t, resource, context) for t in stated):
            touched = True
    else:
        stated = listed(statement["NotResource"])
        touched = some(missing_as_unknown(t, resource, context) for t in stated)
        touched = invert(touched)
    return every([touched, condition_holds(statement.get("Condition"), context)])


def missing_as_unknown(text, resource, context):
    verdict = resource_matches(text, resource, context)
    return None if verdict is False and text != "*" and expand(text, context) is False else verdict


def names_action(statement, action):
    return any(fold(p) == fold(action) for p in listed(statement.get("Action", [])))


def decide_pair(documents, call, pair):
    """("allow" | "ask" | "deny", the ids of the statements that decided, in order)."""
    context = {**call["context"], **pair.get("context", {})}
    matched = {"Deny": [], "RequireApproval": [], "Allow": [], "AllowWithApproval": []}
    licensed = False
    everything = False
    for document in documents:
        for statement in listed(document["Statement"]):
            truth = statement_matches(statement, document["Agents"], call, pair, context)
            effect = statement["Effect"]
            if truth is False or truth is None and effect in PERMITS:
                continue
            if effect != "Deny" and names_action(statement, pair["action"]):
                licensed = True
            elif call.get("vends") and effect in PERMITS:
                continue
            if effect in ("RequireApproval", "AllowWithApproval") and "*" in listed(statement.get("Resource", [])):
                everything = True
            matched[effect].append(f"{document['Id']}/{statement['Sid']}")
    if matched["Deny"]:
        return "deny", sorted(matched["Deny"])
    if call.get("vends") and not licensed:
        return "deny", []
    if pair["resource"] is None:
        asks = matched["RequireApproval"] or matched["AllowWithApproval"]
        return ("ask", sorted(asks)) if everything and asks else ("deny", [])
    for effect, verdict in (("RequireApproval", "ask"), ("Allow", "allow"), ("AllowWithApproval", "ask")):
        if matched[effect]:
            return verdict, sorted(matched[effect])
    return "deny", []


def decide(documents, call):
    """The strictest pair decides; each pair's own verdict is given beside it."""
    verdicts = [decide_pair(documents, call, pair) for pair in call["pairs"]]
    order = ["allow", "ask", "deny"]
    return max((v for v, _ in verdicts), key=order.index), verdicts
