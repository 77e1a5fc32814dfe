import Glibc

/// Literal beginnings of patterns, in the order of their bytes on shelves, and the patterns that begin so.
///
/// All nodes of a shelf whose text a given one begins with are one chain: the deepest, the deepest that this
/// one begins with, and so on up (`parent`). So one search among the sorted finds them all.
struct PrefixTable: Sendable {
    struct Node: Sendable {
        /// Its text.
        let rank: UInt32
        /// The length of its text.
        let count: UInt32
        /// The deepest other node of the shelf that its text begins with; -1 for none.
        let parent: Int32
        let firstSlot: UInt32
        fileprivate(set) var slotCount: UInt32

        var slots: Range<Int> { Int(firstSlot)..<Int(firstSlot + slotCount) }
    }

    /// A pattern that begins with the node's text, by the number of its owner.
    struct Slot: Sendable {
        let owner: UInt32
        let reach: Reach
    }

    /// What is known of a pattern when a text begins as it does.
    enum Reach: UInt8, Sendable {
        /// It matches.
        case all
        /// It matches if the text ends there.
        case exact
        /// It must be tried.
        case some
    }

    /// A run of nodes.
    typealias Shelf = Range<Int>

    private let texts: SortedTexts
    private(set) var nodes: [Node] = []
    private(set) var slots: [Slot] = []

    init(_ texts: SortedTexts) { self.texts = texts }

    /// Files each slot under the text of its rank.
    mutating func shelve(_ entries: [(rank: Int, slot: Slot)]) -> Shelf {
        let first = nodes.count
        var chain: [Int] = []
        for (rank, slot) in entries.sorted(by: {
            $0.rank == $1.rank ? $0.slot.owner < $1.slot.owner : $0.rank < $1.rank
        }) {
            if nodes.count == first || nodes[nodes.count - 1].rank != UInt32(rank) {
                while let top = chain.last, !texts.begins(rank, with: Int(nodes[top].rank)) {
                    chain.removeLast()
                }
                let parent = Int32(chain.last ?? -1)
                chain.append(nodes.count)
                nodes.append(
                    Node(
                        rank: UInt32(rank), count: UInt32(texts.count(of: rank)), parent: parent,
                        firstSlot: UInt32(slots.count), slotCount: 0))
            }
            slots.append(slot)
            nodes[nodes.count - 1].slotCount += 1
        }
        return first..<nodes.count
    }

    /// Where a text belongs on a shelf.
    struct Spot: Equatable {
        /// The first node after it in the order of bytes.
        fileprivate(set) var after = 0
        /// The deepest node that it begins with; -1 for none.
        fileprivate(set) var node = -1
    }

    /// Where `text` belongs on `shelf`; `near` is where another text did: the search begins there.
    func spot(of text: UnsafeBufferPointer<UInt8>, on shelf: Shelf, near: Spot?) -> Spot {
        if shelf.isEmpty { return Spot() }
        func isAfter(_ node: Int) -> Bool { texts.compare(Int(nodes[node].rank), text) > 0 }
        var (lower, upper) = (shelf.lowerBound, shelf.upperBound)
        if let near, near.after >= lower, near.after <= upper {
            // In strides that double: the objects of a batch mostly stand in order.
            var (stride, node) = (1, near.after)
            if node < upper, !isAfter(node) {
                repeat {
                    (lower, node, stride) = (node + 1, node + stride, stride * 2)
                } while node < upper && !isAfter(node)
                upper = min(node, upper)
            } else {
                upper = node
                node -= 1
                while node >= lower, isAfter(node) {
                    (upper, node, stride) = (node, node - stride * 2, stride * 2)
                }
                lower = max(node + 1, lower)
            }
        }
        while lower < upper {
            let middle = (lower + upper) / 2
            if isAfter(middle) { upper = middle } else { lower = middle + 1 }
        }
        // What the text begins with is not after it, and begins every node between.
        var node = lower - 1
        if node < shelf.lowerBound { node = -1 }
        while node >= 0, !texts.begins(text, with: Int(nodes[node].rank)) { node = Int(nodes[node].parent) }
        return Spot(after: lower, node: node)
    }

    /// The nodes of `shelf` whose texts begin with `text`.
    func nodes(on shelf: Shelf, from text: UnsafeBufferPointer<UInt8>) -> Shelf {
        let first = shelf.partitioned { texts.compare(Int(nodes[$0].rank), text) >= 0 }
        let last = (first..<shelf.upperBound).partitioned { !texts.begins(Int(nodes[$0].rank), with: text) }
        return first..<last
    }
}

extension Range<Int> {
    /// The first place from which on `isAfter` holds.
    fileprivate func partitioned(_ isAfter: (Int) -> Bool) -> Int {
        var (lower, upper) = (lowerBound, upperBound)
        while lower < upper {
            let middle = (lower + upper) / 2
            if isAfter(middle) { upper = middle } else { lower = middle + 1 }
        }
        return lower
    }
}

/// Texts without doubles in the order of their bytes, each known by its rank.
struct SortedTexts: Sendable {
    private var bytes: [UInt8] = []
    private var ranges: [(start: UInt32, count: UInt32)] = []
    /// The rank of each text, in the order in which they were given.
    private(set) var ranks: [Int]

    init(_ texts: [[UInt8]]) {
        ranks = Array(repeating: 0, count: texts.count)
        let order = texts.indices.sorted { left, right in
            texts[left].withUnsafeBufferPointer { left in
                texts[right].withUnsafeBufferPointer { compared(left, $0) < 0 }
            }
        }
        var last: Int?
        for index in order {
            if last.map({ texts[$0] != texts[index] }) ?? true {
                ranges.append((UInt32(bytes.count), UInt32(texts[index].count)))
                bytes += texts[index]
            }
            last = index
            ranks[index] = ranges.count - 1
        }
    }

    func count(of rank: Int) -> Int { Int(ranges[rank].count) }

    private func with<R>(_ rank: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        let range = ranges[rank]
        return bytes.withUnsafeBufferPointer {
            body(UnsafeBufferPointer(rebasing: $0[Int(range.start)..<Int(range.start + range.count)]))
        }
    }

    /// Less than 0 where the text of `rank` comes before `text`, 0 where it is the same.
    func compare(_ rank: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int {
        with(rank) { compared($0, text) }
    }

    /// Whether `text` begins with the text of `rank`.
    func begins(_ text: UnsafeBufferPointer<UInt8>, with rank: Int) -> Bool {
        with(rank) { starts(text, with: $0) }
    }

    /// Whether the text of `rank` begins with `text`.
    func begins(_ rank: Int, with text: UnsafeBufferPointer<UInt8>) -> Bool {
        with(rank) { starts($0, with: text) }
    }

    /// Whether the text of `rank` begins with that of `other`.
    func begins(_ rank: Int, with other: Int) -> Bool { with(other) { begins(rank, with: $0) } }
}

private func starts(_ text: UnsafeBufferPointer<UInt8>, with other: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count >= other.count else { return false }
    guard let left = text.baseAddress, let right = other.baseAddress else { return true }
    return memcmp(left, right, other.count) == 0
}

private func compared(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
    if let one = left.baseAddress, let other = right.baseAddress {
        let order = memcmp(one, other, min(left.count, right.count))
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}
