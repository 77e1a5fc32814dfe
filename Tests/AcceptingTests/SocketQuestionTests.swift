import Accepting
import Testing

private let ours = Endpoint(address: [127, 0, 0, 1], port: 8990)
private let theirs = Endpoint(address: [127, 0, 0, 1], port: 40_001)
private let question = SocketQuestion(local: ours, remote: theirs, number: 7)

/// `struct nlmsghdr` and `struct inet_diag_msg` as the kernel answers.
private func answer(
    from: Endpoint = theirs, to: Endpoint = ours, uid: UInt32 = 1_001, inode: UInt32 = 11, number: UInt32 = 7
) -> [UInt8] {
    func words(_ values: [UInt32]) -> [UInt8] {
        values.flatMap { value in withUnsafeBytes(of: value, Array.init) }
    }
    func port(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 255)] }
    func address(_ end: Endpoint) -> [UInt8] {
        end.address + [UInt8](repeating: 0, count: 16 - end.address.count)
    }
    return words([88, 0x0000_0014, number, 0])
        + [from.address.count == 4 ? 2 : 10, 1, 0, 0] + port(from.port) + port(to.port) + address(from)
        + address(to) + words([0, 0, 0, 0, 0, 0, uid, inode])
}

@Suite("Socket question") struct SocketQuestionTests {
    @Test func `the question names the socket at the other end`() {
        let bytes = question.bytes
        #expect(bytes.count == 72 && bytes[0] == 72 && bytes[4] == 20 && bytes[16] == 2 && bytes[17] == 6)
        #expect(bytes[24..<28].elementsEqual([0x9C, 0x41, 0x23, 0x1E]), "their port, then ours")
    }

    @Test func `the answer's uid is the owner's`() {
        #expect(question.answer(in: answer()) == .uid(1_001))
        #expect(question.answer(in: answer(uid: 0)) == .uid(0))
    }

    @Test func `an answer about another socket, or one that is closed, names nobody`() {
        #expect(question.answer(in: answer(inode: 0)) == .nobody)
        #expect(question.answer(in: answer(from: ours, to: theirs)) == .nobody)
        let listener = Endpoint(address: [0, 0, 0, 0], port: 0)
        #expect(question.answer(in: answer(to: listener)) == .nobody, "a listener has no peer")
        let other = Endpoint(address: [127, 0, 0, 2], port: 40_001)
        #expect(question.answer(in: answer(from: other)) == .nobody)
    }

    @Test func `answers to other questions are passed over, and errors are told apart`() {
        #expect(question.answer(in: answer(number: 8)) == .other)
        #expect(question.answer(in: []) == .other)
        func error(_ number: Int32) -> [UInt8] {
            Array(answer()[..<4]) + [2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
                + withUnsafeBytes(of: number, Array.init)
        }
        #expect(question.answer(in: error(-2)) == .nobody)
        #expect(question.answer(in: error(-1)) == .failed)
        #expect(question.answer(in: Array(answer()[..<80])) == .failed)
    }

    @Test func `a client's socket of both families is the same peer`() {
        func mapped(_ end: Endpoint) -> Endpoint {
            Endpoint(address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] + end.address, port: end.port)
        }
        #expect(question.answer(in: answer(from: mapped(theirs), to: mapped(ours))) == .uid(1_001))
    }
}
