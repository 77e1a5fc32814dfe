import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign inbox`: what waits.
struct Inbox: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the calls that wait for a human.")
    @OptionGroup var sockets: SocketOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let reply = try orCannotTell { try sockets.control().get("/v1/inbox") }
        if json { return print(reply.text) }
        if reply["mode"] == "observe" {
            print("WARNING: the gate only observes (--mode observe): it asks nobody and holds nothing.")
        }
        let cards = reply["approvals"]?.array ?? []
        if cards.isEmpty { return print("Nothing waits.") }
        for card in cards { print(inboxLine(card)) }
        print(
            "\nRead one with `countersign show ID`, answer it with `countersign approve ID` or "
                + "`countersign deny ID`."
        )
    }
}

/// `countersign show ID`: the whole story of any id.
struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the card and the whole story of an approval, grant, request or session.")
    @OptionGroup var sockets: SocketOptions
    @Argument(help: "apr-…, grt-…, req-… or ses-….") var id: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let client = try sockets.control()
        var card: JSON?
        if id.hasPrefix("apr-") { card = try orCannotTell { try client.find("/v1/approvals/\(id)") } }
        let story = try orCannotTell { try client.find("/v1/story/\(id)") }
        guard card != nil || story != nil else {
            complain("nothing is known of `\(shown(id))`")
            throw Exit.no
        }
        if json {
            return print(JSON.object([.init("card", card ?? .null), .init("story", story ?? .null)]).text)
        }
        if let card { print(cardText(card)) }
        if let text = story?["text"]?.string { print((card == nil ? "" : "\n") + text) }
    }
}

/// `countersign approve ID`.
struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read the card of a waiting call and approve it.")
    @OptionGroup var sockets: SocketOptions
    @Argument(help: "apr-….") var id: String
    @Option(help: "Why, for the record.") var reason: String?
    @Option(help: "What the statement wants typed, where it says `Confirm: typed`.") var confirm: String?
    @Flag(help: "Do not ask `approve?`; the card is printed all the same.") var yes = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try answerCard(id, verdict: "approve", reason, confirm, yes: yes, json: json, sockets)
    }
}

/// `countersign deny ID`.
struct Deny: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Deny a waiting call. A denial is final.")
    @OptionGroup var sockets: SocketOptions
    @Argument(help: "apr-….") var id: String
    @Option(help: "Why; the agent is told.") var reason: String?
    @Flag(help: "Print JSON.") var json = false

    func run() throws { try answerCard(id, verdict: "deny", reason, nil, yes: true, json: json, sockets) }
}

private func toStandardOutput(_ text: String) {
    print(text, terminator: "")
    fflush(nil)
}

private func toStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    // What the terminal does not take is not shown; the answer does not hang on it.
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Shows the card, asks, and sends the review that quotes it.
private func answerCard(
    _ id: String, verdict: String, _ reason: String?, _ confirm: String?, yes: Bool, json: Bool,
    _ sockets: SocketOptions
) throws {
    let client = try sockets.control()
    guard let card = try orCannotTell({ try client.find("/v1/approvals/\(id)") }) else {
        complain("there is no approval `\(shown(id))`")
        throw Exit.no
    }
    // With --json standard output holds the answer alone; the card is for the eyes all the same.
    let say = json ? toStandardError : toStandardOutput
    say(cardText(card) + "\n")
    guard card["state"]?.string == "pending" else {
        complain("\(id) is \(card["state"]?.string ?? "over") already")
        throw Exit.no
    }
    guard let nonce = card["nonce"]?.string else {
        complain("uid \(geteuid()) is no approver: approvers.yaml names none with it")
        throw Exit.no
    }
    var typed = confirm
    if verdict == "approve", typed == nil, let expected = card["confirm"]?.string {
        say("\nType \(expected) to approve, anything else to leave it waiting: ")
        typed = readLine(strippingNewline: true) ?? ""
    } else if verdict == "approve", !yes {
        say("\nApprove exactly this? [y/N] ")
        guard ["y", "yes"].contains((readLine() ?? "").lowercased()) else {
            say("Left waiting.\n")
            throw Exit.no
        }
    }
    let body = JSON.object([
        .init("nonce", .string(nonce)), .init("verdict", .string(verdict)),
        .init("reason", reason.map { .string($0) } ?? .null),
        .init("typed", typed.map { .string($0) } ?? .null),
    ])
    let settled = try orCannotTell { try client.post("/v1/approvals/\(id)/review", body) }
    if json { return print(settled.text) }
    print("\n" + settledLine(settled))
}

/// `countersign grants`.
struct Grants: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What approvals became.", subcommands: [List.self, Revoke.self],
        defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the grants.")
        @OptionGroup var sockets: SocketOptions
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let reply = try orCannotTell { try sockets.control().get("/v1/grants") }
            if json { return print(reply.text) }
            let grants = reply["grants"]?.array ?? []
            if grants.isEmpty { print("No grants.") }
            for grant in grants { print(grantLine(grant)) }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a grant at once.")
        @OptionGroup var sockets: SocketOptions
        @Argument(help: "grt-….") var id: String
        @Option(help: "Why, for the record.") var reason: String?
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let body = JSON.object([.init("reason", reason.map { .string($0) } ?? .null)])
            let reply = try orCannotTell { try sockets.control().post("/v1/grants/\(id)/revoke", body) }
            print(json ? reply.text : "\(id) is revoked.")
        }
    }
}
