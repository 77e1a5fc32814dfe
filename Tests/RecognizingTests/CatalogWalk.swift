@testable import Recognizing

/// Every reference of a catalog, followed once: reads of it are plain.
struct CatalogWalk {
    let file: CatalogFile

    /// The references that lead out of the section they name.
    var strays: [String] { texts + records + lists + shapes + indexes }

    private func strays(
        in section: CatalogFile.Section, _ place: Int, where isStray: (CatalogRecord) -> Bool
    ) -> [String] {
        (0..<file.count(of: section)).filter { isStray(file.record(section, $0)) }.map {
            "\(section) \($0) at \(place)"
        }
    }

    private var texts: [String] {
        let all: [(CatalogFile.Section, places: [Int], optional: [Int])] = [
            (.services, [0, 3, 6, 9], [12]), (.signingNames, [0], []), (.operations, [0, 3], []),
            (.traits, [], [4]), (.queryLiterals, [0], [3]), (.needs, [], [2]), (.actions, [0], []),
            (.prefixes, [0], []), (.resources, [], [2, 9]), (.resourceTypes, [0, 3], []), (.fills, [0], [3]),
            (.maps, [], [4, 7]), (.itemNames, [0], []), (.spellings, [0, 3], []), (.queryNames, [2], []),
            (.edges, [0], []), (.methods, [0], []), (.regions, [0, 3, 6, 9], []),
            (.endpoints, [0, 3, 6], [9]),
            (.sources, [0, 3], []), (.conditionKeys, [0], []), (.actionKeys, [0], []), (.keyFills, [0], [3]),
            (.hostPatterns, [0, 3], []),
        ]
        let plain = all.flatMap { section, places, optional in
            (places + optional).flatMap { place in
                strays(in: section, place) { record in
                    if optional.contains(place), record.triple(place) == CatalogFile.noText { return false }
                    return !isText(record.triple(place))
                }
            }
        }
        let members = strays(in: .memberForms, 0) { record in
            record.byte(6) & 128 == 0
                ? !isText(record.triple(0)) : record.triple(0) >= file.count(of: .spellings)
        }
        // They hold services first, then the aliases that services name.
        let aliases = (0..<file.count(of: .services)).flatMap { file.record(.services, $0).list(29) }
        return plain + members
            + aliases.filter { !isText(file.record(.serviceRefs, $0).triple(0)) }.map { "alias \($0)" }
    }

    private func isText(_ reference: Int) -> Bool {
        guard reference + 2 < file.count(of: .strings) else { return false }
        let text = file.text(reference)
        var (left, codes) = (text.count, text.codes)
        let end = file.bytes(at: file.offset(of: .strings) + file.count(of: .strings), count: 0).baseAddress!
        while left > 0, codes < end {
            let symbol = text.symbols + CatalogText.symbolSize * Int(codes.load(as: UInt8.self))
            left -= Int(symbol.load(fromByteOffset: CatalogText.sizeOffset, as: UInt8.self))
            codes += 1
        }
        return left == 0
    }

    private var records: [String] {
        let all: [(CatalogFile.Section, place: Int, to: CatalogFile.Section, isOptional: Bool)] = [
            (.services, 24, .hosts, false), (.operations, 6, .shapes, true),
            (.operations, 11, .services, false), (.operations, 13, .traits, false),
            (.traits, 10, .hosts, true), (.needs, 0, .actions, false), (.actions, 3, .prefixes, false),
            (.actions, 5, .ratings, false), (.resources, 0, .resourceTypes, false),
            (.maps, 0, .shapes, false),
            (.maps, 2, .shapes, false), (.members, 0, .memberForms, false), (.memberForms, 3, .shapes, false),
            (.queryNames, 0, .memberForms, false), (.edges, 3, .nodes, false), (.methods, 3, .nodes, false),
            (.nodes, 2, .nodes, true), (.nodes, 4, .nodes, true), (.operationRefs, 0, .operations, false),
            (.endpointExceptions, 1, .endpoints, true), (.hosts, 0, .endpoints, true),
            (.hosts, 5, .endpoints, true), (.hosts, 10, .endpoints, true), (.hosts, 15, .endpoints, true),
        ]
        return all.flatMap { section, place, target, isOptional in
            strays(in: section, place) { record in
                if isOptional, record.optionalShort(place) == nil { return false }
                return record.short(place) >= file.count(of: target)
            }
        }
            + strays(in: .endpointExceptions, 0) { Int($0.byte(0)) >= file.count(of: .regions) }
            + strays(in: .traits, 2) { Int($0.byte(2)) >= file.count(of: .methods) }
    }

    private var lists: [String] {
        let all: [(CatalogFile.Section, place: Int, to: CatalogFile.Section)] = [
            (.services, 26, .hostPatterns), (.services, 29, .serviceRefs), (.signingNames, 3, .serviceRefs),
            (.operations, 8, .needs), (.traits, 7, .queryLiterals), (.traits, 12, .keyFills),
            (.ratings, 2, .actionKeys), (.resources, 5, .fills), (.hosts, 2, .endpointExceptions),
            (.hosts, 7, .endpointExceptions), (.hosts, 12, .endpointExceptions),
            (.hosts, 17, .endpointExceptions),
        ]
        let short = all.flatMap { section, place, target in
            strays(in: section, place) { $0.list(place).upperBound > file.count(of: target) }
        }
        return short
            + strays(in: .needs, 5) {
                $0.optionalShort(5) != nil && $0.list(5).upperBound > file.count(of: .resources)
            }
            + strays(in: .services, 15) { $0.longList(15).upperBound > file.count(of: .operations) }
            + strays(in: .prefixes, 3) { $0.longList(3).upperBound > file.count(of: .actions) }
            + (1..<file.count(of: .nodes)).filter { number in
                // Each node's edges and operations end where the next node's begin; the last has none.
                let (this, next) = (file.record(.nodes, number - 1), file.record(.nodes, number))
                return this.short(0) > next.short(0) || next.short(0) > file.count(of: .edges)
                    || this.short(6) > next.short(6) || next.short(6) > file.count(of: .operationRefs)
            }.map { "nodes \($0)" }
    }

    private var shapes: [String] {
        (0..<file.count(of: .shapes)).filter { number in
            let shape = CatalogShape(file: file, index: number)
            let record = file.record(.shapes, number)
            return switch shape.kind {
            case .structure: shape.memberRange.upperBound > file.count(of: .members)
            case .list:
                record.short(2) >= file.count(of: .shapes)
                    || record.optionalShort(4).map { $0 >= file.count(of: .itemNames) } ?? false
            case .map: Int(record.long(2)) >= file.count(of: .maps)
            default: false
            }
        }.map { "shapes \($0)" }
    }

    private var indexes: [String] {
        let all: [(CatalogFile.Section, to: CatalogFile.Section)] = [
            (.serviceIndex, .services), (.signingIndex, .signingNames), (.targetIndex, .operations),
            (.queryIndex, .operations), (.actionIndex, .actions),
        ]
        return all.flatMap { section, target in
            strays(in: section, 0) { $0.short(0) > file.count(of: target) }
                + (strays(in: section, 0) { $0.short(0) == 0 }.isEmpty ? ["\(section) has no free slot"] : [])
        }
    }
}
