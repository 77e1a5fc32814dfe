import Vocabulary

/// Texts that tell patterns apart: one for each way in which a text can match some of them and not others.
///
/// Found by walking all patterns at once along every text there can be, so that no way is missing where
/// ``isComplete`` says so. The texts only pose questions; what they are worth, the patterns themselves say.
struct TextClasses {
    /// What one pattern is compared with.
    enum Shape: Hashable {
        /// The whole text.
        case text(Pattern)
        /// An ARN: five parts in which no colon is passed over, then the sixth; or the whole text.
        case arn(head: [Pattern], last: Pattern)
    }

    /// What the texts may hold.
    enum Letters: Hashable {
        /// Any character.
        case any
        /// Those of an agent's name; 1 to 64 of them.
        case agent
        /// Any character, and runs that a request does not say.
        case withUnknown
    }

    /// The texts, shortest first.
    private(set) var texts: [[Symbol]] = []
    /// Whether every way to match is among them.
    private(set) var isComplete = true

    /// The most places of all patterns that are looked at: beyond it the texts are not complete.
    static let stateCountMax = 20_000

    /// One text for each way to match `shapes`. With `about`, ways in which none of those shapes matches may
    /// be missing.
    init(_ shapes: [Shape], of letters: Letters, about: Set<Int>? = nil) {
        var walk = Walk(shapes, letters, about)
        isComplete = walk.run(limit: Self.stateCountMax)
        texts = walk.found
    }

    /// The texts without unknown runs, as text.
    var known: [String] {
        texts.compactMap { text in
            var scalars = String.UnicodeScalarView()
            for symbol in text {
                guard case .scalar(let value) = symbol, let scalar = Unicode.Scalar(value) else { return nil }
                scalars.append(scalar)
            }
            return String(scalars)
        }
    }
}

extension TextClasses.Shape {
    /// What the pattern says of `text`: yes part by part, unknown where only the whole matches.
    func truth(of text: String) -> Truth {
        switch self {
        case .text(let pattern): return pattern.matches(text) ? .unknown : .no
        case .arn(let head, let last):
            let whole = (head + [last]).map(\.tokens).joined(separator: [.scalar(0x3A)])
            guard Pattern(tokens: Array(whole)).matches(text) else { return .no }
            let parts = text.unicodeScalars.split(
                separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            guard parts.count == 6, parts[0].elementsEqual("arn".unicodeScalars) else { return .unknown }
            let isByParts = zip(head + [last], parts).allSatisfy { $0.matches(String($1)) }
            return isByParts ? .yes : .unknown
        }
    }
}

extension Resource {
    /// The resource whose characters are `symbols`.
    init(symbols: [Symbol]) {
        self.init(
            symbols.map { symbol in
                switch symbol {
                case .scalar(let value): .known(Unicode.Scalar(value).map { String($0) } ?? "")
                case .unknown, .unknownWithoutColon: .unknown
                case .someAlphanumeric: .unknownCharacters(count: 1)
                }
            })
    }
}

/// The walk of ``TextClasses``: breadth first over the places that all patterns have reached.
private struct Walk {
    /// One token of a pattern as it stands in the whole.
    private struct Slot {
        let token: Pattern.Token
        /// Whether it lies in one of an ARN's first five parts.
        let isOfHead: Bool
    }

    /// The tokens of one pattern, ending in a place without one.
    private struct Track {
        let shape: Int
        let isByParts: Bool
        let end: Int
    }

    private struct State: Hashable {
        /// Places, each the index of a slot, sorted.
        var places: [Int32]
        /// How far into `arn:`; 4: past it, 5: the text begins otherwise, or it does not matter.
        var prefix: UInt8
        /// Colons so far, at most five.
        var colonCount: UInt8 = 0
        /// An unknown run of the head was taken to hold no colon, so that five must come; or to hold some.
        var mustBeARN: Bool?
        var hasUnknown = false
        /// Of an agent's name; of any other text no more than 2 is told.
        var length: UInt8 = 0
    }

    private let letters: TextClasses.Letters
    private let about: Set<Int>?
    private let shapeCount: Int
    private var slots: [Slot?] = []
    private var tracks: [Track] = []
    /// The track of each slot.
    private var owners: [Int] = []
    private var start: [Int32] = []

    private(set) var found: [[Symbol]] = []

    init(_ shapes: [TextClasses.Shape], _ letters: TextClasses.Letters, _ about: Set<Int>?) {
        (self.letters, self.about, shapeCount) = (letters, about, shapes.count)
        for (index, shape) in shapes.enumerated() {
            switch shape {
            case .text(let pattern): add(pattern.tokens.map { Slot(token: $0, isOfHead: false) }, of: index)
            case .arn(let head, let last):
                let whole = (head + [last]).map(\.tokens).joined(separator: [.scalar(0x3A)])
                add(whole.map { Slot(token: $0, isOfHead: false) }, of: index)
                // What stands before the first colon of an ARN is `arn`, in small letters.
                guard let first = head.first, first.matches("arn") else { continue }
                let parts = ([Pattern("arn")] + head.dropFirst()).map(\.tokens)
                    .joined(separator: [.scalar(0x3A)])
                let slots =
                    parts.map { Slot(token: $0, isOfHead: true) }
                    + [Slot(token: .scalar(0x3A), isOfHead: true)]
                    + last.tokens.map { Slot(token: $0, isOfHead: false) }
                add(slots, of: index, isByParts: true)
            }
        }
        var places: [Int32] = []
        for place in start { reach(place, &places) }
        start = places
    }

    private mutating func add(_ own: [Slot], of shape: Int, isByParts: Bool = false) {
        start.append(Int32(slots.count))
        slots += own.map { $0 } + [nil]
        owners += Array(repeating: tracks.count, count: own.count + 1)
        tracks.append(Track(shape: shape, isByParts: isByParts, end: slots.count - 1))
    }

    // MARK: - Walking

    /// Whether all ways were found before `limit` states were met.
    mutating func run(limit: Int) -> Bool {
        let first = State(places: start, prefix: letters == .withUnknown ? 0 : 5)
        var states = [(state: first, from: -1, by: Symbol.unknown)]
        var seen: Set<State> = [first]
        var ways: Set<[UInt8]> = []
        var at = 0
        while at < states.count {
            let state = states[at].state
            // The resource of which nothing is known is a case of its own.
            let isWhollyUnknown = states[at].from == 0 && states[at].by == .unknown
            if !isWhollyUnknown, let way = way(state), ways.insert(way).inserted {
                var text: [Symbol] = []
                var back = at
                while back > 0 {
                    text.append(states[back].by)
                    back = states[back].from
                }
                found.append(text.reversed())
            }
            for (symbol, next) in steps(from: state) where isOfUse(next) && seen.insert(next).inserted {
                guard states.count < limit else { return false }
                states.append((next, at, symbol))
            }
            at += 1
        }
        return true
    }

    /// How a text that ends here matches each shape; nil where none may end.
    private func way(_ state: State) -> [UInt8]? {
        if letters == .agent, !(1...64).contains(state.length) { return nil }
        if let mustBeARN = state.mustBeARN, mustBeARN != (state.colonCount == 5) { return nil }
        var way = [UInt8](repeating: 0, count: shapeCount + 1)
        // A text with unknown runs is another thing than one without.
        way[shapeCount] = state.hasUnknown ? 1 : 0
        for place in state.places where slots[Int(place)] == nil {
            let track = tracks[owners[Int(place)]]
            way[track.shape] = max(way[track.shape], track.isByParts ? 2 : 1)
        }
        return way
    }

    private func isOfUse(_ state: State) -> Bool {
        if letters == .agent, state.length > 64 { return false }
        guard let about else { return true }
        return state.places.contains { about.contains(tracks[owners[Int($0)]].shape) }
    }

    private func steps(from state: State) -> [(Symbol, State)] {
        var steps = scalars(wantedIn: state).map { value in
            (Symbol.scalar(value), step(state, over: value))
        }
        guard letters == .withUnknown else { return steps }
        let isInHead = state.prefix == 4 && state.colonCount < 5
        if !isInHead || state.mustBeARN != true { steps.append((.unknown, unknown(state, isInHead: false))) }
        if isInHead, state.mustBeARN != false {
            steps.append((.unknownWithoutColon, unknown(state, isInHead: true)))
        }
        var next = state
        next.hasUnknown = true
        next.length = min(2, next.length + 1)
        next.prefix = next.prefix < 4 ? 5 : next.prefix
        next.places = moved(state, endsParts: next.prefix == 5) { slot, isByParts in
            Pattern.acceptsAlphanumeric(slot.token, every: isByParts)
        }
        steps.append((.someAlphanumeric, next))
        return steps
    }

    /// The characters that some place asks for, and one that none does.
    private func scalars(wantedIn state: State) -> [UInt32] {
        var wanted: Set<UInt32> = []
        for place in state.places {
            guard let slot = slots[Int(place)] else { continue }
            switch slot.token {
            case .scalar(let value): wanted.insert(value)
            case .letter(let value): wanted.formUnion([value, value - 0x20])
            case .one, .oneAmidAny, .any: if slot.isOfHead { wanted.insert(0x3A) }
            }
        }
        if letters == .withUnknown { wanted.insert([0x61, 0x72, 0x6E, 0x3A, 0x3A, 0x3A][Int(state.prefix)]) }
        if letters == .agent {
            wanted = wanted.filter {
                UInt8(exactly: $0).map { $0.isLowerAlphanumeric || $0 == 0x2D } ?? false
            }
        }
        let plain: [UInt32] = Array("xyzwvutsqkjgb0123456789-".unicodeScalars.map(\.value))
        let more: [UInt32] = letters == .agent ? Array(0x61...0x7A) : Array(0x21...0x7E) + Array(0xC0...0x24F)
        // INVARIANT: a state with all of `more` in it wants every character that there is a pattern for.
        let other = (plain + more).first { !wanted.contains($0) && $0 != 0x3A }
        // Small letters first: of two texts that match alike the first is kept.
        return (other.map { [$0] } ?? []) + wanted.sorted(by: >)
    }

    private func step(_ state: State, over value: UInt32) -> State {
        var next = state
        if state.prefix < 4 {
            next.prefix = value == [0x61, 0x72, 0x6E, 0x3A][Int(state.prefix)] ? state.prefix + 1 : 5
        }
        switch letters {
        case .any: break
        case .agent: next.length += 1
        case .withUnknown:
            next.length = min(2, next.length + 1)
            if value == 0x3A { next.colonCount = min(5, state.colonCount + 1) }
        }
        next.places = moved(state, endsParts: false) { slot, _ in
            Pattern.accepts(slot.token, value)
        } passing: { slot in
            !(slot.isOfHead && value == 0x3A)
        }
        return next
    }

    /// The places behind one character: `accepts` says which tokens take it, `passing` which wildcards do.
    private func moved(
        _ state: State, endsParts: Bool, by accepts: (Slot, Bool) -> Bool,
        passing: (Slot) -> Bool = { _ in true }
    ) -> [Int32] {
        var next: [Int32] = []
        for place in state.places {
            guard let slot = slots[Int(place)] else { continue }
            let isByParts = tracks[owners[Int(place)]].isByParts
            if endsParts, isByParts { continue }
            switch slot.token {
            case .any: if passing(slot) { reach(place, &next) }
            case .one, .oneAmidAny: if passing(slot), accepts(slot, isByParts) { reach(place + 1, &next) }
            case .scalar, .letter: if accepts(slot, isByParts) { reach(place + 1, &next) }
            }
        }
        return next
    }

    /// Adds `place` to sorted places; a place before a `*` is also the one behind it.
    private func reach(_ place: Int32, _ places: inout [Int32]) {
        var place = place
        while true {
            var at = places.count
            while at > 0, places[at - 1] > place { at -= 1 }
            if at == 0 || places[at - 1] != place { places.insert(place, at: at) }
            guard slots[Int(place)]?.token == .any else { return }
            place += 1
        }
    }

    /// An unknown run, by the rules of ``Pattern/matchesEvery(_:)`` and ``Pattern/matchesSome(_:)``.
    private func unknown(_ state: State, isInHead: Bool) -> State {
        var next = state
        next.hasUnknown = true
        next.length = min(2, next.length + 1)
        if state.prefix < 4 { next.prefix = 5 }
        if state.prefix == 4, state.colonCount < 5 { next.mustBeARN = isInHead }
        var places: [Int32] = []
        for place in state.places {
            let track = tracks[owners[Int(place)]]
            if track.isByParts {
                guard next.prefix != 5, let slot = slots[Int(place)] else { continue }
                if slot.token == .any || slot.token == .oneAmidAny { reach(place, &places) }
                continue
            }
            var at = place
            while true {
                reach(at, &places)
                guard let slot = slots[Int(at)] else { break }
                if isInHead, slot.token == .scalar(0x3A) { break }
                at += 1
            }
        }
        next.places = places
        return next
    }
}
