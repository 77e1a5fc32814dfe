import Vocabulary

/// How often something happened in this minute, by whom; an earlier minute is forgotten.
struct MinuteCounts<Key: Hashable> {
    private var minute: Int64 = 0
    private var counts: [Key: Int] = [:]

    /// Counts one more of `key`, unless there were `most` in this minute.
    mutating func admits(_ key: Key, most: Int, at now: Instant) -> Bool {
        let current = now.nanosecondsSinceEpoch / 60_000_000_000
        if current != minute { (minute, counts) = (current, [:]) }
        guard counts[key, default: 0] < most else { return false }
        counts[key, default: 0] += 1
        return true
    }
}
