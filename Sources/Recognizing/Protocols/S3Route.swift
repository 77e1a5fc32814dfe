import Vocabulary

/// Where an S3 call goes that does not go to S3's own host: to the host of its access point or of its
/// directory bucket's zone, or to the one that directory buckets are managed at.
///
/// What a request says stands in such a host, each part a label by its own rule, below the suffix of AWS.
///
/// - SeeAlso: Amazon S3 User Guide, "Referencing access points" and "Regional and Zonal endpoints for
///   directory buckets"; S3's endpoint rules, which `fixtures/routes/s3-hosts.jsonl` holds it against.
struct S3Route {
    let endpoint: CatalogEndpoint
    let region: String
    /// What goes before the endpoint's host: the bucket and a dot; empty where it stays in the path.
    let label: String
    /// The owners of directory buckets that the client does not name: AWS refuses a bucket of another
    /// account.
    let pins: [HeaderField]
    /// Whether it is a call of S3 control on an outpost, whose host has no prefix.
    var isOutpost = false

    /// Nil for a general purpose bucket and for a call without bucket.
    ///
    /// - Parameters:
    ///   - region: The region that the call names; an access point's ARN says its own.
    ///   - account: The gateway's.
    /// - Throws: ``RecognitionError`` for an ARN of another partition or of no region, for a host that AWS
    ///   does not have, and for a bucket owner that is no account.
    init?(
        _ operation: CatalogOperation, _ parameters: JSON, region: String, variant: EndpointVariant,
        account: String?, catalog: Catalog
    ) throws(RecognitionError) {
        guard operation.service.isS3 else {
            guard operation.service.name.isSame(as: "s3control"),
                let outpost = parameters[OutpostNaming.member]?.string
            else { return nil }
            let there = catalog.service(named: "s3outposts")?.endpoint(region: region, variant: variant)
            guard let there else {
                throw .noEndpoint(service: operation.service.name, region: region, variant: variant)
            }
            (endpoint, self.region, label, isOutpost) = (there, region, "", true)
            let isBound = operation.input?.member(named: OutpostNaming.member) != nil
            pins = isBound ? [] : [HeaderField(OutpostNaming.header, outpost)]
            return
        }
        let bucket = try parameters["Bucket"]?.string.map { text throws(RecognitionError) in
            try S3Bucket(parsing: text, part: "Bucket")
        }
        pins = try Self.pins(operation, parameters, bucket, account: account)
        switch bucket {
        case nil, .bucket?, .other?:
            guard !pins.isEmpty, let own = operation.endpoint(region: region, variant: variant) else {
                return nil
            }
            (endpoint, self.region, label) = (own, region, "")
        case .alias(let name, _)?:
            guard let own = operation.service.endpoint(region: region, variant: variant) else { return nil }
            (endpoint, self.region, label) = (own, region, name + ".")
        case .accessPoint(let point)?:
            self.region = point.kind == .multiRegion ? region : point.region
            label = Self.label(of: point)
            endpoint = try Self.endpoint(of: point, region: self.region, variant: variant, catalog: catalog)
        case .directory(let directory)?:
            self.region = region
            let control = operation.service.operation(named: "ListDirectoryBuckets")?
                .endpoint(region: region, variant: variant)
            guard let control else {
                throw .noEndpoint(service: "s3", region: region, variant: variant)
            }
            guard S3Session.isZonal(operation.name) || operation.name == "CreateSession" else {
                (endpoint, label) = (control, "")
                return
            }
            let name = "s3express\(variant.contains(.fips) ? "-fips" : "")-\(directory.zone)"
            let suffix = try Self.suffix(region, variant, catalog)
            endpoint = CatalogEndpoint(
                host: "\(name).\(suffix)", signingName: control.signingName, signingRegion: region)
            label = directory.name + "."
        }
    }

    private static func label(of point: S3AccessPoint) -> String {
        switch point.kind {
        case .bucket, .objectLambda: "\(point.name)-\(point.account)."
        case .multiRegion: "\(point.name)."
        case .outpost(let id): "\(point.name)-\(point.account).\(id)."
        }
    }

    private static func endpoint(
        of point: S3AccessPoint, region: String, variant: EndpointVariant, catalog: Catalog
    ) throws(RecognitionError) -> CatalogEndpoint {
        guard catalog.partition(region: region) == point.partition else {
            throw .malformed(
                part: "Bucket", why: "names a region that is not in the partition of the access point")
        }
        let fips = variant.contains(.fips) ? "-fips" : ""
        // Where S3 itself has no such host (FIPS in China), its access points have none.
        guard let s3 = catalog.service(named: "s3"), s3.endpoint(region: region, variant: variant) != nil
        else { throw .noEndpoint(service: "s3", region: region, variant: variant) }
        switch point.kind {
        case .bucket:
            return CatalogEndpoint(
                host: "s3-accesspoint\(fips).\(try suffix(region, variant, catalog))", signingName: "s3",
                signingRegion: region)
        case .objectLambda where !variant.contains(.dualStack):
            return CatalogEndpoint(
                host: "s3-object-lambda\(fips).\(try suffix(region, variant, catalog))",
                signingName: "s3-object-lambda", signingRegion: region)
        case .outpost where variant.isEmpty:
            return CatalogEndpoint(
                host: "s3-outposts.\(try suffix(region, variant, catalog))", signingName: "s3-outposts",
                signingRegion: region)
        case .multiRegion where variant.isEmpty:
            let dns = catalog.dnsSuffix(region: region) ?? ""
            return CatalogEndpoint(
                host: "accesspoint.s3-global.\(dns)", signingName: "s3", signingRegion: region,
                usesSigV4a: true)
        case .objectLambda, .outpost, .multiRegion:
            throw .noEndpoint(service: "s3", region: region, variant: variant)
        }
    }

    /// `us-east-1.amazonaws.com`, with `dualstack.` before it where that is chosen.
    private static func suffix(
        _ region: String, _ variant: EndpointVariant, _ catalog: Catalog
    ) throws(RecognitionError) -> String {
        guard let dns = catalog.dnsSuffix(region: region) else {
            throw .noEndpoint(service: "s3", region: region, variant: variant)
        }
        return (variant.contains(.dualStack) ? "dualstack." : "") + "\(region).\(dns)"
    }

    /// The fields that hold a call to the account that it is judged by.
    private static func pins(
        _ operation: CatalogOperation, _ parameters: JSON, _ bucket: S3Bucket?, account: String?
    ) throws(RecognitionError) -> [HeaderField] {
        guard S3Session.isZonal(operation.name) else { return [] }
        var sources: [S3Bucket] = []
        if let text = parameters["CopySource"]?.string {
            sources = try S3Source.all(parsing: text, part: "CopySource").map(\.bucket)
        }
        var pins: [HeaderField] = []
        let owned = [
            (bucket.map { [$0] } ?? [], "ExpectedBucketOwner"), (sources, "ExpectedSourceBucketOwner"),
        ]
        for (buckets, name) in owned where buckets.contains(where: \.isDirectoryBucket) {
            if let given = parameters[name] {
                guard given.string?.isAccount ?? false else {
                    throw .malformed(part: name, why: "is no account")
                }
            } else if let account, let member = operation.input?.member(named: name) {
                pins.append(HeaderField(member.wireName, account))
            }
        }
        return pins
    }
}

extension S3Bucket {
    fileprivate var isDirectoryBucket: Bool {
        if case .directory(let directory) = self { !directory.isAccessPoint } else { false }
    }
}

/// What a host of S3 says that is not S3's own: the bucket or access point before it, and its region.
struct S3Host {
    /// What stands where the path has its bucket: a name, or an access point's ARN.
    let bucket: String
    let region: String
    let signingName: String
    /// What goes before S3's part of the name, with its dot.
    let label: String

    /// What `name`, a host of AWS in lower case, says; nil for any other than the ones of ``S3Route``.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)`` for a Multi-Region Access Point, whose account
    ///   nothing says and which takes no signature of ours.
    init?(aws name: String, catalog: Catalog) throws(RecognitionError) {
        let labels = name.parts(by: 0x2E)
        guard !name.contains(".mrap.accesspoint.s3-global.") else {
            throw .malformed(
                part: "Host",
                why:
                    "a Multi-Region Access Point takes signature version 4A alone, which Countersign does "
                    + "not make; an access point of one region can be called")
        }
        guard let at = labels.firstIndex(where: { catalog.partition(region: $0) != nil }), at >= 2,
            let suffix = catalog.dnsSuffix(region: labels[at]),
            labels[(at + 1)...].joined(separator: ".").isSame(as: suffix)
        else { return nil }
        let isDual = labels[at - 1].isSame(as: "dualstack")
        try self.init(
            Array(labels[..<(isDual ? at - 1 : at)]), region: labels[at], catalog: catalog)
    }

    /// What stands before the name of this machine says: `ap-111122223333.s3-accesspoint.`, as SDKs have it
    /// of an endpoint `http://s3-accesspoint.localhost:PORT`; nil for any other.
    ///
    /// Before an address `ap-111122223333.` says it too: S3's endpoint rules put an access point there, and a
    /// bucket of that name into the path. Before a name it may be either, and is a bucket.
    ///
    /// - Throws: ``RecognitionError/noRegion(service:)`` where no signature names the region.
    init?(local before: String, isAddress: Bool, scope: CredentialScope?, catalog: Catalog)
        throws(RecognitionError)
    {
        var labels = Array(before.parts(by: 0x2E).dropLast())
        if isAddress, labels.count == 1 {
            switch scope?.service {
            case "s3"?: labels.append("s3-accesspoint")
            case "s3-object-lambda"?: labels.append("s3-object-lambda")
            default: return nil
            }
        }
        guard labels.count == 2, ["s3-accesspoint", "s3-object-lambda"].contains(labels[1]),
            pointName(labels[0]) != nil
        else { return nil }
        guard let scope else { throw .noRegion(service: "s3") }
        try self.init(labels, region: scope.region, catalog: catalog)
    }

    private init?(_ labels: [String], region: String, catalog: Catalog) throws(RecognitionError) {
        guard let kind = labels.last, labels.count >= 2, let partition = catalog.partition(region: region)
        else { return nil }
        self.region = region
        label = labels.dropLast().joined(separator: ".") + "."
        let plain = kind.ends(with: "-fips") ? String(kind.dropLast(5)) : kind
        let place = "\(region):"
        switch (plain, labels.count) {
        case ("s3-accesspoint", 2), ("s3-object-lambda", 2):
            guard let point = pointName(labels[0]) else { return nil }
            signingName = plain.isSame(as: "s3-accesspoint") ? "s3" : plain
            bucket = "arn:\(partition):\(signingName):\(place)\(point.account):accesspoint/\(point.name)"
        case ("s3-outposts", 3):
            guard let point = pointName(labels[0]) else { return nil }
            signingName = plain
            bucket =
                "arn:\(partition):s3-outposts:\(place)\(point.account):outpost/\(labels[1])"
                + "/accesspoint/\(point.name)"
        default:
            guard labels.count == 2, let zone = kind.after("s3express-fips-") ?? kind.after("s3express-"),
                let directory = S3Directory(labels[0]), directory.zone.isSame(as: zone)
            else { return nil }
            signingName = "s3express"
            bucket = labels[0]
        }
    }
}

/// The name and account of an access point in `label`, `NAME-ACCOUNT`.
private func pointName(_ label: String) -> (name: String, account: String)? {
    let account = String(decoding: label.utf8.suffix(12), as: UTF8.self)
    let name = String(decoding: label.utf8.dropLast(13), as: UTF8.self)
    guard account.isAccount, label.ends(with: "-" + account), name.isHostLabel else { return nil }
    return (name, account)
}
