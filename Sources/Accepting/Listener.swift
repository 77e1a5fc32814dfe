import Glibc
import NIOCore
import NIOPosix
import Vocabulary

/// Whose door a connection came in by: the owner of the listener says it, the client has no say.
package enum ListenerTag: Hashable, Sendable {
    /// AWS calls of this agent, unless a key we issued names another.
    case agent(AgentName)
    /// The agents' own socket: one's approvals, sessions.
    case agents
    /// The approvers' and operators' socket.
    case control
}

/// Where to listen.
package enum ListenAddress: Hashable, Sendable {
    /// TCP on a loopback address as digits, `127.0.0.1` or `::1`; port 0 takes a free one.
    case loopback(host: String, port: UInt16)
    /// A unix socket with this file mode, such as 0o660, and group, unless nil.
    case socket(path: String, mode: UInt32, group: UInt32?)
}

/// Why a listener did not open.
package enum ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Only 127.0.0.0/8 and ::1, written as digits, are listened on.
    case notLoopback(String)
    /// Another process, or this one, listens there.
    case inUse(String)
    /// The path holds something that is not a socket; it is left alone.
    case notASocket(path: String)
    /// The path is longer than the 107 bytes a socket's address has room for, or empty.
    case pathTooLong(String)
    /// The system said no; `call` names the system call, `errno` the reason.
    case system(call: String, errno: Int32)

    /// What is wrong, for the operator.
    package var description: String {
        switch self {
        case .notLoopback(let host): "`\(shown(host))` is not a loopback address written in digits"
        case .inUse(let place): "another process listens on \(place) already"
        case .notASocket(let path): "`\(shown(path))` is there and is no socket: it is left as it is"
        case .pathTooLong(let path): "`\(shown(path))` is empty or too long for a socket: 107 bytes fit"
        case .system(let call, let errno):
            "no listener could be opened: \(call): \(String(cString: strerror(errno)))"
        }
    }
}

/// An open door. All its connections live on one loop.
package final class Listener: Sendable {
    /// Where it listens; the port is the one that was taken.
    package let address: ListenAddress
    private let channel: any Channel
    private let door: Door
    private let loop: Loop
    /// The socket's file, for a unix socket.
    private let file: FileIdentity?

    private init(address: ListenAddress, channel: any Channel, door: Door, loop: Loop) {
        self.address = address
        if case .socket(let path, _, _) = address { file = FileIdentity(path: path) } else { file = nil }
        self.channel = channel
        self.door = door
        self.loop = loop
    }

    /// Opens the door and waits until it is open. Not from the loop.
    package static func open(
        _ address: ListenAddress, tag: ListenerTag, limits: Limits = Limits(), on loop: Loop,
        serving handler: any ExchangeHandler
    ) throws(ListenError) -> Listener {
        // INVARIANT: doors are opened at start, by the thread that starts the loop.
        precondition(!loop.isCurrent)
        let descriptor = try bind(address)
        let door = Door(tag: tag, limits: limits, handler: handler)
        let isTCP = if case .loopback = address { true } else { false }
        let bootstrap = ServerBootstrap(group: loop.eventLoop)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: limits.unsentBytesLow, high: limits.unsentBytesHigh)
            )
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isTCP { try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1) }
                    try channel.pipeline.syncOperations.addHandler(Connection(door: door, loop: loop))
                }
            }
        let channel: any Channel
        do {
            channel = try bootstrap.withBoundSocket(descriptor).wait()
        } catch {
            throw .system(call: "listen", errno: (error as? IOError)?.errnoCode ?? 0)
        }
        var taken = address
        if case .loopback(let host, _) = address {
            taken = .loopback(host: host, port: UInt16(channel.localAddress?.port ?? 0))
        }
        return Listener(address: taken, channel: channel, door: door, loop: loop)
    }

    /// Takes no further connection; idle ones end now, busy ones after their answer. From any thread.
    package func close() {
        // A successor may already have put its own socket there.
        if case .socket(let path, _, _) = address, file != nil, FileIdentity(path: path) == file {
            unlink(path)
        }
        channel.close(promise: nil)
        loop.execute { self.door.drain() }
    }

    /// Connections open now. On the loop only.
    package var connectionCount: Int { door.connectionCount }
}

/// What the connections of one listener share. Confined to the loop.
final class Door: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because only connections, which live on the loop, touch the mutable
    // state.
    enum Entrance { case welcome, full, flooded }

    let tag: ListenerTag
    let limits: Limits
    let handler: any ExchangeHandler
    private var inside: [ObjectIdentifier: Connection] = [:]
    /// Those inside that were only let in to be told that there is no room.
    private var surplus: Set<ObjectIdentifier> = []
    private var bodyBytes = 0
    private var isClosed = false

    init(tag: ListenerTag, limits: Limits, handler: any ExchangeHandler) {
        self.tag = tag
        self.limits = limits
        self.handler = handler
    }

    var connectionCount: Int { inside.count }

    /// Beyond the limit some are let in to be told so; in a flood they are cut without a word.
    func enter(_ connection: Connection) -> Entrance {
        guard !isClosed, surplus.count < 32 else { return .flooded }
        inside[ObjectIdentifier(connection)] = connection
        guard inside.count - surplus.count > limits.connectionCountMax else { return .welcome }
        surplus.insert(ObjectIdentifier(connection))
        return .full
    }

    func leave(_ connection: Connection) {
        inside[ObjectIdentifier(connection)] = nil
        surplus.remove(ObjectIdentifier(connection))
    }

    /// Counts body bytes in, unless they are too many.
    func charge(_ byteCount: Int) -> Bool {
        guard byteCount <= limits.bodyBytesOfListenerMax - bodyBytes else { return false }
        bodyBytes += byteCount
        return true
    }

    func discharge(_ byteCount: Int) { bodyBytes -= byteCount }

    func drain() {
        isClosed = true
        for connection in Array(inside.values) { connection.drain() }
    }

    func nextNumber() -> UInt64 { exchangeCount.wrappingAdd(1, ordering: .relaxed).newValue }
}
