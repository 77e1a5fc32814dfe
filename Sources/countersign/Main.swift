import ArgumentParser

@main
struct Countersign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "countersign", abstract: "Signs AWS calls for agents that hold no keys.")
}
