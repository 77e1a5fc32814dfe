/// A moment, in nanoseconds since 1970-01-01T00:00:00Z; what a clock in Gateway hands in.
///
/// Range: years 1970 to 2262. Arithmetic saturates at both ends.
package struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let nanosecondsSinceEpoch: Int64

    package init(nanosecondsSinceEpoch: Int64) { self.nanosecondsSinceEpoch = max(0, nanosecondsSinceEpoch) }

    /// The moment `seconds` after the epoch.
    package init(secondsSinceEpoch seconds: Int64) {
        let (value, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.init(nanosecondsSinceEpoch: overflow ? (seconds < 0 ? 0 : .max) : value)
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }

    /// The moment `wait` later (earlier when negative), saturating.
    package func advanced(by wait: Duration) -> Instant {
        let (sum, overflow) = nanosecondsSinceEpoch.addingReportingOverflow(wait.wholeNanoseconds)
        return Instant(nanosecondsSinceEpoch: overflow ? (wait < .zero ? 0 : .max) : sum)
    }

    /// How long it is from `earlier` to this moment; negative when `earlier` is later.
    package func since(_ earlier: Instant) -> Duration {
        .nanoseconds(nanosecondsSinceEpoch - earlier.nanosecondsSinceEpoch)
    }

    /// `2026-11-22T08:33:52.507Z`: UTC, milliseconds cut off.
    package var description: String {
        written(punctuated: true, fractionDigits: 3, Int(nanosecondsSinceEpoch / 1_000_000 % 1000))
    }

    /// `2026-11-22T08:33:52.507123456Z`: the whole moment, for records that are read back.
    package var precise: String {
        written(punctuated: true, fractionDigits: 9, Int(nanosecondsSinceEpoch % 1_000_000_000))
    }

    /// `20261122T083352Z`, as SigV4 dates a request.
    package var basicFormat: String { written(punctuated: false, fractionDigits: 0, 0) }

    /// `20261122`, the day in a SigV4 credential scope.
    package var basicDay: String { String(basicFormat.prefix(8)) }

    /// Digit by digit: every entry of the log and every signature holds one.
    private func written(punctuated: Bool, fractionDigits: Int, _ fraction: Int) -> String {
        let date = calendar
        return String(unsafeUninitializedCapacity: 32) { buffer in
            var at = 0
            func mark(_ byte: UInt8, always: Bool = false) {
                guard punctuated || always else { return }
                buffer[at] = byte
                at += 1
            }
            func number(_ value: Int, _ width: Int) {
                var rest = value
                for place in stride(from: at + width - 1, through: at, by: -1) {
                    buffer[place] = 0x30 + UInt8(rest % 10)
                    rest /= 10
                }
                at += width
            }
            number(date.year, 4)
            mark(0x2D)
            number(date.month, 2)
            mark(0x2D)
            number(date.day, 2)
            mark(0x54, always: true)
            number(date.hour, 2)
            mark(0x3A)
            number(date.minute, 2)
            mark(0x3A)
            number(date.second, 2)
            if fractionDigits > 0 {
                mark(0x2E)
                number(fraction, fractionDigits)
            }
            mark(0x5A, always: true)
            return at
        }
    }

    /// The hour of the day in UTC, 0 to 23.
    package var hourUTC: Int { calendar.hour }

    /// The moment written in `text` as ``basicFormat`` or as ISO 8601 in UTC with `Z`, seconds and an
    /// optional fraction of 1 to 9 digits; nil for any other spelling or a date that does not exist.
    package init?(parsing text: String) {
        let bytes = Array(text.utf8)
        if bytes.count == 16, bytes[8] == 0x54, bytes[15] == 0x5A {
            guard let day = number(bytes[0..<8]), let time = number(bytes[9..<15]) else { return nil }
            self.init(
                year: day / 10_000, month: day / 100 % 100, day: day % 100,
                time: (time / 10_000, time / 100 % 100, time % 100), nanosecond: 0)
            return
        }
        guard bytes.count >= 20, bytes.count <= 30, bytes[bytes.count - 1] == 0x5A,
            [bytes[4], bytes[7], bytes[10], bytes[13], bytes[16]] == [0x2D, 0x2D, 0x54, 0x3A, 0x3A],
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19])
        else { return nil }
        var nanosecond = 0
        if bytes.count > 20 {
            guard bytes[19] == 0x2E, let fraction = number(bytes[20..<(bytes.count - 1)]) else { return nil }
            nanosecond = (bytes.count - 21..<9).reduce(fraction) { value, _ in value * 10 }
        }
        self.init(year: year, month: month, day: day, time: (hour, minute, second), nanosecond: nanosecond)
    }

    private init?(year: Int, month: Int, day: Int, time: (Int, Int, Int), nanosecond: Int) {
        guard (1970...2261).contains(year), (1...12).contains(month), (1...31).contains(day), time.0 < 24,
            time.1 < 60, time.2 < 60
        else { return nil }
        // Days from civil, Howard Hinnant's algorithm: eras of 400 years that begin on 1 March.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        let seconds = days * 86_400 + time.0 * 3_600 + time.1 * 60 + time.2
        self.init(nanosecondsSinceEpoch: Int64(seconds) * 1_000_000_000 + Int64(nanosecond))
        let back = calendar
        guard (back.year, back.month, back.day) == (year, month, day) else { return nil }
    }

    private var calendar: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        let seconds = Int(nanosecondsSinceEpoch / 1_000_000_000)
        let days = seconds / 86_400 + 719_468
        let era = days / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let rest = seconds % 86_400
        return (year, month, day, rest / 3_600, rest / 60 % 60, rest % 60)
    }
}

extension Duration {
    /// The duration in whole nanoseconds, saturating at the ends of `Int64`.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }
}

private func number(_ digits: ArraySlice<UInt8>) -> Int? {
    var value = 0
    for digit in digits {
        guard digit.isDigit else { return nil }
        value = value * 10 + Int(digit - 0x30)
    }
    return digits.isEmpty ? nil : value
}
