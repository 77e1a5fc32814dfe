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
        case symbols, strings, services, signingNames, serviceRefs, operations, traits, queryLiterals, needs
        case actions, ratings, prefixes, resources, resourceTypes, fills, shapes, maps, itemNames, members
        case memberForms, spellings, queryNames, nodes, edges, operationRefs, methods, regions, endpoints
        case endpointExceptions, sources, serviceIndex, signingIndex, targetIndex, queryIndex, actionIndex
        case conditionKeys, actionKeys, keyFills, hosts, hostPatterns

        /// The size of one record, in bytes.
        var recordSize: Int {
            switch self {
            case .strings: 1
            case .members, .operationRefs: 2
            case .serviceIndex, .signingIndex, .targetIndex, .queryIndex, .actionIndex: 2
            case .serviceRefs, .itemNames, .conditionKeys, .actionKeys, .endpointExceptions: 3
            case .ratings, .queryNames, .edges, .methods: 5
            case .signingNames, .queryLiterals, .resourceTypes, .fills, .shapes, .spellings, .sources: 6
            case .actions, .prefixes, .memberForms, .hostPatterns: 7
            case .needs, .nodes: 8
            case .maps: 10
            case .keyFills: 11
            case .resources, .regions: 12
            case .endpoints: 13
            case .operations, .traits: 15
            case .symbols: 16
            case .hosts: 20
            case .services: 32
            }
        }
    }

    static let version: UInt32 = 5
    /// What a two-byte reference to a record holds when there is none.
    static let none = Int(UInt16.max)
    /// What a reference to a string holds when there is none.
    static let noText = 0xFF_FFFF
    private static let magic = Array("CSCATLOG".utf8)
    private static let tableOffset = 148
    private static let headerByteCount = tableOffset + 8 * Section.allCases.count
    /// Strings are read more than anything else, so the two sections that make them are at fixed places.
    private static let symbolsOffset = headerByteCount
    private static let stringsOffset = symbolsOffset + CatalogText.symbolCount * CatalogText.symbolSize

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
        // Any code is a symbol and none is empty, so reading a string ends.
        guard offset(of: .symbols) == Self.symbolsOffset, offset(of: .strings) == Self.stringsOffset,
            (0..<CatalogText.symbolCount).allSatisfy({
                (1...CatalogText.sizeOffset).contains(
                    Int(record(.symbols, $0).byte(CatalogText.sizeOffset)))
            })
        else { return nil }
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

    /// The 16-bit number at `offset` from the start of the file.
    func short(at offset: Int) -> Int {
        Int(UInt16(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }

    func byte(at offset: Int) -> UInt8 { start.load(fromByteOffset: offset, as: UInt8.self) }

    /// The string that `reference` names.
    func text(_ reference: Int) -> CatalogText {
        let place = Self.stringsOffset + reference
        let (first, symbols) = (byte(at: place), start + Self.symbolsOffset)
        return first < UInt8.max
            ? CatalogText(symbols: symbols, codes: start + place + 1, count: Int(first))
            : CatalogText(symbols: symbols, codes: start + place + 3, count: short(at: place + 1))
    }

    /// The string that `reference` names; nil for ``noText``.
    func optionalText(_ reference: Int) -> CatalogText? { reference == Self.noText ? nil : text(reference) }

    /// Calls `visit` with each record number filed under `hash` in `index`, until it returns true.
    ///
    /// Different keys may share a hash; `visit` compares.
    func probe(_ index: Section, hash: UInt32, until visit: (Int) -> Bool) {
        let mask = count(of: index) - 1
        let table = offset(of: index)
        var slot = Int(hash) & mask
        while true {
            let entry = short(at: table + 2 * slot)
            if entry == 0 || visit(entry - 1) { return }
            slot = (slot + 1) & mask
        }
    }
}

/// One record: the file and where the record begins.
struct CatalogRecord {
    let file: CatalogFile
    let offset: Int

    /// Numbers of one to four bytes.
    func byte(_ place: Int) -> UInt8 { file.byte(at: offset + place) }
    func short(_ place: Int) -> Int { file.short(at: offset + place) }
    func triple(_ place: Int) -> Int { short(place) | Int(byte(place + 2)) << 16 }
    func long(_ place: Int) -> UInt32 { file.number(at: offset + place) }
    /// A reference of two bytes that may be ``CatalogFile/none``.
    func optionalShort(_ place: Int) -> Int? { short(place) == CatalogFile.none ? nil : short(place) }
    func text(_ place: Int) -> CatalogText { file.text(triple(place)) }
    func optionalText(_ place: Int) -> CatalogText? { file.optionalText(triple(place)) }
    /// The list whose start has two bytes, with its count right after it in one.
    func list(_ place: Int) -> Range<Int> { short(place)..<short(place) + Int(byte(place + 2)) }
    /// The list whose start has two bytes, with its count right after it in two.
    func longList(_ place: Int) -> Range<Int> { short(place)..<short(place) + short(place + 2) }
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
