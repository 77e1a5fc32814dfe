import CCatalog

/// The generated catalog as it lies in memory: a header, and sections of fixed-size records.
///
/// Everything is read in place; opening checks the header and that each section lies inside, reads after that
/// are plain. The numbers inside records (references to strings, shapes, operations) are the generator's
/// promise, which a test walks through once. The layout is described in scripts/catalog.d/binary.py.
struct CatalogFile: @unchecked Sendable {
    // INVARIANT: the bytes are constant data of the program image: never written, never freed. So sharing
    // them is safe.
    private let start: UnsafeRawPointer

    /// The sections in the order of the file.
    enum Section: Int, CaseIterable {
        case strings, services, signingNames, serviceRefs, operations, queryLiterals, needs, actions, prefixes
        case resources, fills, shapes, members, queryNames, nodes, edges, operationRefs, methods, regions,
            endpoints
        case endpointExceptions, sources, serviceIndex, signingIndex, targetIndex, queryIndex, actionIndex
        case conditionKeys, actionKeys, keyFills, hosts, hostPatterns

        /// The size of one record, in bytes.
        var recordSize: Int {
            switch self {
            case .strings: 1
            case .services: 56
            case .signingNames, .prefixes, .hostPatterns: 12
            case .serviceRefs, .operationRefs, .conditionKeys, .actionKeys: 4
            case .operations: 44
            case .hosts: 48
            case .queryLiterals, .fills, .queryNames, .edges, .methods, .endpointExceptions, .sources: 8
            case .needs, .members, .regions, .actions, .keyFills: 16
            case .shapes, .endpoints: 20
            case .resources, .nodes: 24
            case .serviceIndex, .signingIndex, .targetIndex, .queryIndex, .actionIndex: 4
            }
        }
    }

    static let version: UInt32 = 4
    /// What a reference to a string, shape or record holds when there is none.
    static let none = UInt32.max
    private static let magic = Array("CSCATLOG".utf8)
    private static let tableOffset = 148
    private static let headerByteCount = tableOffset + 8 * Section.allCases.count

    /// The catalog that is part of the program.
    static let builtIn: CatalogFile = {
        let bytes = UnsafeRawBufferPointer(
            start: countersign_catalog_start(), count: Int(countersign_catalog_count))
        // INVARIANT: the file is generated and committed with this reader; a test opens it, so a build that
        // ships has it right.
        guard let file = CatalogFile(opening: bytes) else {
            preconditionFailure("catalog.bin is not a catalog")
        }
        return file
    }()

    /// The catalog in `bytes`, which must outlive every view of it; nil unless magic, version, size and
    /// sections are right.
    init?(opening bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count >= Self.headerByteCount,
            bytes.prefix(8).elementsEqual(Self.magic)
        else { return nil }
        start = base
        guard number(at: 8) == Self.version, Int(number(at: 12)) == bytes.count,
            Int(number(at: Self.tableOffset - 4)) == Section.allCases.count
        else { return nil }
        for section in Section.allCases {
            let end = offset(of: section) + count(of: section) * section.recordSize
            guard offset(of: section) >= Self.headerByteCount, end <= bytes.count else { return nil }
        }
        for index in [Section.serviceIndex, .signingIndex, .targetIndex, .queryIndex, .actionIndex] {
            // A probe wraps with a mask and stops at a free slot: a power of two, with room.
            guard count(of: index).nonzeroBitCount == 1 else { return nil }
        }
    }

    /// The 32-bit number at `offset` from the start of the file.
    func number(at offset: Int) -> UInt32 {
        UInt32(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func offset(of section: Section) -> Int { Int(number(at: Self.tableOffset + 8 * section.rawValue)) }
    func count(of section: Section) -> Int { Int(number(at: Self.tableOffset + 8 * section.rawValue + 4)) }

    /// The record `index` of `section`.
    func record(_ section: Section, _ index: Int) -> CatalogRecord {
        CatalogRecord(file: self, offset: offset(of: section) + index * section.recordSize)
    }

    /// The `count` bytes from `offset` on.
    func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start + offset, count: count)
    }

    /// The string that `reference` names.
    func text(_ reference: UInt32) -> CatalogText {
        let place = offset(of: .strings) + Int(reference)
        let count = Int(start.loadUnaligned(fromByteOffset: place, as: UInt16.self).littleEndian)
        return CatalogText(bytes: bytes(at: place + 2, count: count))
    }

    /// The string that `reference` names; nil for ``none``.
    func optionalText(_ reference: UInt32) -> CatalogText? { reference == Self.none ? nil : text(reference) }

    /// Calls `visit` with each record number filed under `hash` in `index`, until it returns true.
    ///
    /// Different keys may share a hash; `visit` compares.
    func probe(_ index: Section, hash: UInt32, until visit: (Int) -> Bool) {
        let mask = count(of: index) - 1
        let table = offset(of: index)
        var slot = Int(hash) & mask
        while true {
            let entry = number(at: table + 4 * slot)
            if entry == 0 || visit(Int(entry) - 1) { return }
            slot = (slot + 1) & mask
        }
    }
}

/// One record: the file and where the record begins.
struct CatalogRecord {
    let file: CatalogFile
    let offset: Int

    func number(_ place: Int) -> UInt32 { file.number(at: offset + place) }
    func int(_ place: Int) -> Int { Int(number(place)) }
    func byte(_ place: Int) -> UInt8 { file.bytes(at: offset + place, count: 1)[0] }
    func short(_ place: Int) -> Int { Int(byte(place)) | Int(byte(place + 1)) << 8 }
    func text(_ place: Int) -> CatalogText { file.text(number(place)) }
    func optionalText(_ place: Int) -> CatalogText? { file.optionalText(number(place)) }
}

/// A string of the catalog, in place: UTF-8, compared by bytes.
struct CatalogText: @unchecked Sendable {
    // INVARIANT: a slice of the catalog's constant bytes, as `CatalogFile.start` is.
    let bytes: UnsafeRawBufferPointer

    var string: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether it is exactly `other`.
    func equals(_ other: some StringProtocol) -> Bool {
        let other = other.utf8
        return bytes.count == other.count && bytes.elementsEqual(other)
    }

    /// Whether it is `other` but for the case of ASCII letters.
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        bytes.elementsEqual(other.utf8) { $0.lowercased == $1.lowercased }
    }

    /// Negative, zero or positive as `other` comes after, is equal or comes before, by bytes.
    func order(against other: some Sequence<UInt8>) -> Int {
        var position = 0
        for byte in other {
            if position == bytes.count { return -1 }
            if bytes[position] != byte { return bytes[position] < byte ? -1 : 1 }
            position += 1
        }
        return position == bytes.count ? 0 : 1
    }
}

/// FNV-1a, 32 bits, as the generator hashes.
struct CatalogHash {
    private(set) var value: UInt32 = 0x811C_9DC5

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
    }

    /// The hash of `text`.
    static func of(_ text: some StringProtocol) -> UInt32 {
        var hash = CatalogHash()
        hash.add(text.utf8)
        return hash.value
    }
}
