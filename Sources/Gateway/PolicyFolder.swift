import Deciding
import Recognizing
import Vocabulary

/// The policy set in the folder at `path`: every `*.yaml`, `*.yml` and `*.json` in it, and what `agents.yaml`
/// attaches.
///
/// - Throws: ``ConfigurationError`` with every fault found: a folder or file that cannot be read or that
///   others can write, and each error of the set with file, line and column.
func loadPolicies(_ path: String) throws(ConfigurationError) -> PolicySet {
    var files: [PolicyFile] = []
    do {
        for name in try listFolder(path) where isPolicyFile(name) {
            files.append(
                PolicyFile(
                    name: name, bytes: try readFile("\(path)/\(name)", limit: 1 << 20, isGuarded: true)))
        }
    } catch { throw ConfigurationError(error.description) }
    do { return try PolicySet.load(files: files, actions: ActionNames(.builtIn)) } catch {
        throw ConfigurationError("\(error)")
    }
}

private func isPolicyFile(_ name: String) -> Bool {
    name.hasSuffix(".yaml") || name.hasSuffix(".yml") || name.hasSuffix(".json")
}
