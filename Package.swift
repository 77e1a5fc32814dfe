// swift-tools-version: 6.1
import PackageDescription

// The floor plan: the rooms in walking order, each with what it may import (see docs/decisions/0002-rooms.md).
// COUNTERSIGN_CORE=1 leaves out the rooms that need SwiftNIO or libcurl: sanitizers and fuzzers build the rest in seconds.
// COUNTERSIGN_FUZZ=1 makes the fuzzer of the fuzz targets instead of the test that replays its findings (scripts/fuzz).
let coreOnly = Context.environment["COUNTERSIGN_CORE"] != nil
let isFuzzing = Context.environment["COUNTERSIGN_FUZZ"] != nil

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]

func room(_ name: String, _ imports: [Target.Dependency], resources: [String] = []) -> Target {
    .target(name: name, dependencies: imports, exclude: resources)
}

func tests(_ name: String, _ imports: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: imports)
}

var targets: [Target] = [
    // Under the rooms.
    room("Vocabulary", []),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    room("Hashing", ["Vocabulary", "COpenSSL"]),
    room("SigV4", ["Vocabulary", "Hashing"]),
    .target(name: "CCatalog", exclude: ["catalog.bin", "services"]),
    // The rooms that need no network.
    room("Identifying", ["Vocabulary", "Hashing", "SigV4"]),
    room("Recognizing", ["Vocabulary", "Hashing", "CCatalog", "CZlib"]),
    room("Deciding", ["Vocabulary", "Hashing", "Recognizing", "CYaml"]),
    room("Approving", ["Vocabulary", "Hashing", "Recognizing", "Deciding"]),
    room("Recording", ["Vocabulary", "Hashing", "Recognizing", "Deciding"]),
    room("Signing", ["Vocabulary", "Hashing", "Recording", "Recognizing", "SigV4"]),
    tests("VocabularyTests", ["Vocabulary"]),
    tests("HashingTests", ["Hashing", "SigV4", "Vocabulary"]),
    tests("IdentifyingTests", ["Identifying", "Hashing", "SigV4", "Vocabulary"]),
    tests("RecognizingTests", ["Recognizing", "Hashing", "Vocabulary", "CZlib"]),
    tests("DecidingTests", ["Deciding", "Recognizing", "Vocabulary"]),
    tests("ApprovingTests", ["Approving", "Deciding", "Recognizing", "Vocabulary"]),
    tests("RecordingTests", ["Recording", "Approving", "Deciding", "Recognizing", "Hashing", "Vocabulary"]),
    tests("SigningTests", ["Signing", "SigV4", "Recording", "Recognizing", "Hashing", "Vocabulary"]),
]

if !coreOnly {
    targets += [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        room("Accepting", ["Vocabulary"] + nio),
        room("Forwarding", ["Vocabulary", "Recognizing", "Signing", "CCurl"]),
        room(
            "Gateway",
            [
                "Vocabulary", "Hashing", "SigV4", "Accepting", "Identifying", "Recognizing", "Deciding",
                "Approving",
                "Recording", "Signing", "Forwarding",
            ]),
        .executableTarget(
            name: "countersign",
            dependencies: [
                "Vocabulary", "Gateway", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        tests(
            "AcceptingTests",
            ["Accepting", "Vocabulary", .product(name: "NIOEmbedded", package: "swift-nio")] + nio),
        tests(
            "ForwardingTests",
            [
                "Forwarding", "Signing", "SigV4", "Recording", "Deciding", "Recognizing", "Hashing",
                "Vocabulary",
            ]),
        tests(
            "GatewayTests",
            [
                "Gateway", "Accepting", "Approving", "Identifying", "Recognizing", "Deciding", "Recording",
                "SigV4", "Hashing",
                "Vocabulary",
            ]),
    ]
}

let parsers: [Target.Dependency] =
    ["Identifying", "Recognizing", "Deciding", "Recording", "SigV4", "Vocabulary"]
    + (coreOnly ? [] : ["Accepting", "Forwarding", .product(name: "NIOCore", package: "swift-nio")])
targets.append(
    isFuzzing
        ? .executableTarget(
            name: "Fuzzing", dependencies: parsers, path: "Tests/FuzzTests", exclude: ["FindingTests.swift"])
        : .testTarget(name: "FuzzTests", dependencies: parsers, exclude: ["Fuzzing.swift", "Mutating.swift"]))

// COUNTERSIGN_BENCH=1 adds what scripts/bench measures the core of a call with.
if Context.environment["COUNTERSIGN_BENCH"] != nil {
    targets.append(
        .executableTarget(
            name: "countersign-bench",
            dependencies: [
                "Vocabulary", "Hashing", "SigV4", "Identifying", "Recognizing", "Deciding", "Recording",
            ],
            path: "Tests/Bench"))
}

let package = Package(
    name: "countersign",
    products: coreOnly ? [] : [.executable(name: "countersign", targets: ["countersign"])],
    dependencies: coreOnly
        ? []
        : [
            .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        ],
    targets: targets
)
