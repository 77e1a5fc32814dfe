import ArgumentParser
import Gateway
import Vocabulary

/// `countersign catalog`: what the gate knows of AWS.
struct CatalogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog", abstract: "See what the gate knows of an operation, and how much of AWS.",
        subcommands: [ShowPage.self, Coverage.self, Endpoints.self])

    /// Which of AWS's hosts are meant.
    struct Hosts: ParsableArguments {
        @Flag(help: "The hosts with FIPS 140 validated cryptography.") var useFips = false
        @Flag(help: "The hosts that IPv6 reaches too.") var useDualStack = false
    }

    struct ShowPage: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Print what is known of a service, an operation or an IAM action.",
            discussion: "A star marks a resource type that every call of the action names.")
        @Argument(help: "dynamodb, dynamodb:Query or s3:ListBucket.") var name: String
        @Option(help: "Where the hosts are that it prints.") var region = "us-east-1"
        @OptionGroup var hosts: Hosts
        @Flag(help: "Print it as JSON.") var json = false

        func run() throws {
            try orCannotTell {
                let page = try catalogPage(
                    of: name, region: region, useFIPS: hosts.useFips, useDualStack: hosts.useDualStack)
                print(json ? String(decoding: page.json.canonical, as: UTF8.self) : page.text)
            }
        }
    }

    struct Coverage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print how much is known of each service.",
            discussion: "`~` behind a service: a rule found where its resources are named, nobody read it.")
        @Flag(help: "Print one JSON object a service.") var json = false
        @Option(help: "text, json, or markdown as docs/catalog.md is.") var form: CoverageForm?

        func run() {
            print(catalogCoverage(form ?? (json ? .json : .text)), terminator: form == .markdown ? "" : "\n")
        }
    }

    struct Endpoints: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print every host that signed requests may go to, as for a firewall's list.")
        @Argument(help: "Only this service's.") var service: String?
        @Option(help: "Only this region's.") var region: String?
        @OptionGroup var hosts: Hosts
        @Flag(help: "Print one JSON object a line.") var json = false

        func run() throws {
            try orCannotTell {
                print(
                    try catalogEndpoints(
                        service: service, region: region, useFIPS: hosts.useFips,
                        useDualStack: hosts.useDualStack, json: json))
            }
        }
    }
}

extension CoverageForm: ExpressibleByArgument {}
