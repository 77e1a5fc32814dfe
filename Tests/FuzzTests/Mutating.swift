/// Changes inputs so that they stay readable: pieces are put in, left out, doubled, swapped and taken from
/// elsewhere. What changes single bytes is libFuzzer's own.
struct Mutator {
    private var state: UInt64

    init(seed: UInt32) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

    /// A number below `limit`; 0 when that is 0.
    mutating func below(_ limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return limit > 0 ? Int(state >> 11) % limit : 0
    }

    /// `bytes` changed in one to three places; `bytewise` is libFuzzer's own way.
    mutating func changed(
        _ bytes: [UInt8], _ grammar: Grammar, bytewise: ([UInt8]) -> [UInt8]
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) {
            switch grammar.form {
            case .text: bytes = text(bytes, grammar)
            case .cbor: bytes = cbor(bytes)
            case .gzip: bytes = gzip(bytes, bytewise)
            }
        }
        return bytes
    }

    // MARK: Text

    private mutating func text(_ bytes: [UInt8], _ grammar: Grammar) -> [UInt8] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        for at in bytes.indices where grammar.delimiters.contains(bytes[at]) {
            if start < at { pieces.append(bytes[start..<at]) }
            pieces.append(bytes[at...at])
            start = at + 1
        }
        if start < bytes.endIndex { pieces.append(bytes[start...]) }
        let fragment =
            grammar.fragments.isEmpty ? [] : Array(grammar.fragments[below(grammar.fragments.count)].utf8)
        guard !pieces.isEmpty else { return fragment }
        let (from, to) = (below(pieces.count), below(pieces.count))
        let length = 1 + below(min(12, pieces.count - from))
        let run = pieces[from..<(from + length)]
        switch below(7) {
        case 0: pieces.insert(fragment[...], at: to)
        case 1: pieces[to] = fragment[...]
        case 2: pieces.removeSubrange(from..<(from + length))
        case 3: pieces.insert(contentsOf: run, at: to)
        case 4: pieces.swapAt(from, to)
        case 5: pieces[to] = run.first ?? []
        default: pieces[to] = respelled(pieces[to])
        }
        return Array(pieces.joined())
    }

    /// The same for a reader that is not strict: another case, an escape, blanks around.
    private mutating func respelled(_ piece: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard !piece.isEmpty else { return piece }
        var piece = Array(piece)
        let at = below(piece.count)
        let digits = Array("0123456789ABCDEF".utf8)
        switch below(5) {
        case 0:
            piece = piece.map { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) ? $0 ^ 0x20 : $0 }
        case 1:
            piece.replaceSubrange(
                at...at, with: [0x25, digits[Int(piece[at] >> 4)], digits[Int(piece[at] & 15)]])
        case 2:
            let escape = Array("\\u00".utf8) + [digits[Int(piece[at] >> 4)], digits[Int(piece[at] & 15)]]
            piece.replaceSubrange(at...at, with: escape)
        case 3: piece = [0x20] + piece + [0x20]
        default: piece.replaceSubrange(at...at, with: Array("&#\(piece[at]);".utf8))
        }
        return piece[...]
    }

    // MARK: CBOR

    /// An item of CBOR: its head, and what it holds.
    private struct Item {
        var major: UInt8
        var value: UInt64
        var isIndefinite = false
        /// How many bytes more than it needs its head takes, as a power of two.
        var widened = 0
        var bytes: [UInt8] = []
        var children: [Item] = []

        var written: [UInt8] {
            if isIndefinite { return [major << 5 | 31] + children.flatMap(\.written) + [0xFF] }
            return head + bytes + children.flatMap(\.written)
        }

        private var head: [UInt8] {
            if major == 7 { return [major << 5 | UInt8(value & 31)] }
            var width = value < 24 ? 0 : value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : value < 1 << 32 ? 3 : 4
            width = min(4, width + widened)
            if width == 0 { return [major << 5 | UInt8(value)] }
            let count = 1 << (width - 1)
            return [major << 5 | UInt8(23 + width)]
                + (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
        }
    }

    private mutating func cbor(_ bytes: [UInt8]) -> [UInt8] {
        var at = 0
        guard var root = Self.item(bytes, &at, depth: 0) else { return bytes }
        var count = 0
        Self.visit(&root) { _ in count += 1 }
        let (chosen, source, kind) = (below(count), below(count), below(8))
        var copied: Item?
        var number = 0
        Self.visit(&root) { item in
            if number == source { copied = item }
            number += 1
        }
        let (first, second, value) = (below(64), below(64), below(70_000))
        number = 0
        Self.visit(&root) { item in
            if number == chosen { Self.change(&item, kind, copied, (first, second, value)) }
            number += 1
        }
        return root.written + bytes[at...]
    }

    private static func change(_ item: inout Item, _ kind: Int, _ copied: Item?, _ drawn: (Int, Int, Int)) {
        let isHolder = item.major == 4 || item.major == 5
        let step = item.major == 5 ? 2 : 1
        let places = item.children.count / step
        switch kind {
        case 0: if let copied { item = copied }
        case 1 where isHolder && places > 0:
            let from = drawn.0 % places * step
            item.children += item.children[from..<(from + step)]
            item.value += 1
        case 2 where isHolder && places > 0:
            let from = drawn.0 % places * step
            item.children.removeSubrange(from..<(from + step))
            item.value -= 1
        case 3 where isHolder: item.isIndefinite.toggle()
        case 3 where item.major == 2 || item.major == 3:
            let cut = item.bytes.isEmpty ? 0 : drawn.0 % item.bytes.count
            item.children = [item.bytes[..<cut], item.bytes[cut...]].map {
                Item(major: item.major, value: UInt64($0.count), bytes: Array($0))
            }
            (item.isIndefinite, item.bytes) = (true, [])
        case 4: item.widened = drawn.0 % 4
        case 5: item = Item(major: 6, value: [1, 0, 2, 24, 55_799][drawn.0 % 5], children: [item])
        case 6: item = Item(major: 7, value: UInt64(20 + drawn.0 % 4))
        case 7 where item.major < 2: item.value = UInt64(drawn.2)
        default:
            guard isHolder, let copied else { return }
            item.children += Array(repeating: copied, count: step)
            item.value += 1
        }
    }

    private static func visit(_ item: inout Item, _ body: (inout Item) -> Void) {
        body(&item)
        for index in item.children.indices { visit(&item.children[index], body) }
    }

    private static func item(_ bytes: [UInt8], _ at: inout Int, depth: Int) -> Item? {
        guard at < bytes.count, depth < 32 else { return nil }
        let (major, low) = (bytes[at] >> 5, bytes[at] & 31)
        at += 1
        var made = Item(major: major, value: UInt64(low))
        if (24...27).contains(low) {
            let count = 1 << Int(low - 24)
            guard at + count <= bytes.count else { return nil }
            made.value = bytes[at..<(at + count)].reduce(0) { $0 << 8 | UInt64($1) }
            if major == 7 { return nil }
            at += count
        } else if low == 31, (2...5).contains(major) {
            made.isIndefinite = true
            while at < bytes.count, bytes[at] != 0xFF {
                guard let child = item(bytes, &at, depth: depth + 1) else { return nil }
                made.children.append(child)
            }
            at += 1
            return at <= bytes.count ? made : nil
        } else if low > 27 {
            return nil
        }
        switch major {
        case 2, 3:
            guard made.value <= UInt64(bytes.count - at) else { return nil }
            made.bytes = Array(bytes[at..<(at + Int(made.value))])
            at += Int(made.value)
        case 4, 5, 6:
            guard made.value <= 4096 || major == 6 else { return nil }
            for _ in 0..<(major == 6 ? 1 : Int(made.value) * (major == 5 ? 2 : 1)) {
                guard let child = item(bytes, &at, depth: depth + 1) else { return nil }
                made.children.append(child)
            }
        default: break
        }
        return made
    }

    // MARK: Gzip

    /// Another content with its right checksum and length; else no change would get past these.
    private mutating func gzip(_ bytes: [UInt8], _ bytewise: ([UInt8]) -> [UInt8]) -> [UInt8] {
        let content = bytes.starts(with: [0x1F, 0x8B]) ? Array(bytes.dropFirst(15).dropLast(8)) : bytes
        let changed = Array(bytewise(content).prefix(4096))
        let size = UInt16(changed.count)
        var packed: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        packed += [UInt8(below(8) == 0 ? 0 : 1), UInt8(size & 255), UInt8(size >> 8)]
        packed += [UInt8(~size & 255), UInt8(~size >> 8)] + changed
        let trailer = UInt64(changed.count) << 32 | UInt64(checksum(changed))
        return packed + (0..<8).map { UInt8(truncatingIfNeeded: trailer >> (8 * $0)) }
    }
}
