/* Records, for one process, every opening, write and sync of files and every send on sockets, in one order.
 *
 *   gcc -shared -fPIC -O2 -o recorder.so recorder.c -ldl -pthread
 *   RECORDER_FILE=/tmp/trace RECORDER_PREFIX=/path/of/the/log LD_PRELOAD=./recorder.so program
 *
 * A record is `struct record` and `size` bytes: a path (open, rename), an address (connect), or what was written: all
 * of it for files under RECORDER_PREFIX, the first 16 KiB for sockets and TLS, nothing for other files. `order` comes
 * from one counter: a send, a write and the begin of a sync take it before they act, the end of a sync after it
 * returned. So `end of sync < send` means that the sync was complete before the first byte could leave.
 * Records go out by the raw system call, one call a record, to a file opened for appending.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum op {
    OP_OPEN = 1, OP_CLOSE, OP_WRITE, OP_WRITTEN, OP_SYNC_BEGIN, OP_SYNC_END, OP_SEND, OP_CONNECT, OP_RENAME,
    OP_TRUNCATE, OP_TLS_SEND, OP_UNLINK
};

struct record {
    uint64_t order;
    int64_t result;  /* what the call returned; for OP_WRITTEN the bytes written; 0 before it acted */
    int64_t offset;  /* of a file after the write, or the length it was cut to; -1 where there is none */
    int32_t thread;
    int32_t fd;
    uint32_t op;
    uint32_t size;  /* of the data that follows */
};

#define SOCKET_BYTES 16384
#define FD_COUNT 65536

static _Atomic uint64_t counter = 1;
static int sink = -1;
static char prefix[4096];
static size_t prefix_length;
/* 1: under the prefix, 2: a socket, 0: anything else. */
static _Atomic unsigned char kinds[FD_COUNT];

static uint64_t next_order(void) { return atomic_fetch_add(&counter, 1); }

static void note_at(uint64_t order, enum op op, int fd, int64_t result, int64_t offset, const struct iovec *parts,
                    int count, size_t limit) {
    if (sink < 0) return;
    int saved = errno;
    struct iovec out[65];
    size_t size = 0;
    int used = 1;
    for (int i = 0; i < count && used < 65 && size < limit; i++) {
        size_t length = parts[i].iov_len;
        if (length > limit - size) length = limit - size;
        if (length == 0) continue;
        out[used].iov_base = parts[i].iov_base;
        out[used++].iov_len = length;
        size += length;
    }
    struct record record = {order, result, offset, (int32_t)syscall(SYS_gettid), fd, op, (uint32_t)size};
    out[0].iov_base = &record;
    out[0].iov_len = sizeof record;
    syscall(SYS_writev, sink, out, used);
    errno = saved;
}

static void note(enum op op, int fd, int64_t result, int64_t offset, const void *data, size_t size) {
    struct iovec part = {(void *)data, size};
    note_at(next_order(), op, fd, result, offset, &part, data ? 1 : 0, SIZE_MAX);
}

static unsigned char kind_of(int fd) {
    return fd >= 0 && fd < FD_COUNT ? atomic_load(&kinds[fd]) : 0;
}

static void set_kind(int fd, unsigned char kind) {
    if (fd >= 0 && fd < FD_COUNT) atomic_store(&kinds[fd], kind);
}

static int64_t position(int fd) { return syscall(SYS_lseek, fd, 0, SEEK_CUR); }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORDER_FILE"), *under = getenv("RECORDER_PREFIX");
    if (!path || !under || strlen(under) >= sizeof prefix) return;
    strcpy(prefix, under);
    prefix_length = strlen(prefix);
    sink = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Out of the way of the program's own numbers. */
    int high = fcntl(sink, F_DUPFD_CLOEXEC, 1000);
    if (high >= 0) {
        syscall(SYS_close, sink);
        sink = high;
    }
    unsetenv("LD_PRELOAD");
}

static void opened(int fd, int directory, const char *path, int flags) {
    if (fd < 0) return;
    char full[8192];
    if (path[0] != '/') {
        char link[64], base[4096];
        int length = 0;
        const char *from = "/proc/self/cwd";
        if (directory != AT_FDCWD) {
            strcpy(link, "/proc/self/fd/");
            char digits[16];
            int at = 15;
            digits[15] = 0;
            for (int n = directory; at == 15 || n; n /= 10) digits[--at] = (char)('0' + n % 10);
            strcat(link, digits + at);
            from = link;
        }
        length = (int)syscall(SYS_readlinkat, AT_FDCWD, from, base, sizeof base - 1);
        if (length < 0) length = 0;
        memcpy(full, base, (size_t)length);
        full[length] = '/';
        strncpy(full + length + 1, path, sizeof full - (size_t)length - 2);
        full[sizeof full - 1] = 0;
    } else {
        strncpy(full, path, sizeof full - 1);
        full[sizeof full - 1] = 0;
    }
    int ours = strncmp(full, prefix, prefix_length) == 0;
    set_kind(fd, ours ? 1 : 0);
    if (ours) note(OP_OPEN, fd, flags, -1, full, strlen(full));
}

/* open and its kin: glibc has several names for each, and all may be called. */
static int open_any(int directory, const char *path, int flags, mode_t mode) {
    long fd = syscall(SYS_openat, directory, path, flags, mode);
    opened((int)fd, directory, path, flags);
    return (int)fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                            \
    int name(const char *path, int flags, ...) {              \
        va_list rest;                                         \
        va_start(rest, flags);                                \
        mode_t mode = mode_of(flags, rest);                   \
        va_end(rest);                                         \
        return open_any(AT_FDCWD, path, flags, mode);         \
    }
#define OPENAT(name)                                          \
    int name(int directory, const char *path, int flags, ...) { \
        va_list rest;                                         \
        va_start(rest, flags);                                \
        mode_t mode = mode_of(flags, rest);                   \
        va_end(rest);                                         \
        return open_any(directory, path, flags, mode);        \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return open_any(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return open_any(at, path, flags, 0); }
int creat(const char *path, mode_t mode) {
    return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    if (fd == sink && sink >= 0) return 0;
    if (kind_of(fd)) note(OP_CLOSE, fd, 0, -1, NULL, 0);
    set_kind(fd, 0);
    return (int)syscall(SYS_close, fd);
}

/* Writes: what goes out is noted before it does, and for files how much went after it did. */
static void before(int fd, const struct iovec *parts, int count) {
    unsigned char kind = kind_of(fd);
    if (kind == 1) note_at(next_order(), OP_WRITE, fd, 0, -1, parts, count, SIZE_MAX);
    if (kind == 2) note_at(next_order(), OP_SEND, fd, 0, -1, parts, count, SOCKET_BYTES);
}

static ssize_t after(int fd, ssize_t result, int64_t at) {
    if (kind_of(fd) == 1) note(OP_WRITTEN, fd, result, at >= 0 ? at + (result > 0 ? result : 0) : position(fd), NULL, 0);
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    struct iovec part = {(void *)data, size};
    before(fd, &part, 1);
    return after(fd, syscall(SYS_write, fd, data, size), -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    before(fd, parts, count);
    return after(fd, syscall(SYS_writev, fd, parts, count), -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    struct iovec part = {(void *)data, size};
    before(fd, &part, 1);
    return after(fd, syscall(SYS_pwrite64, fd, data, size, at), at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwrite(fd, data, size, at); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    before(fd, parts, count);
    return after(fd, syscall(SYS_pwritev, fd, parts, count, at, 0), at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }

ssize_t send(int fd, const void *data, size_t size, int flags) {
    struct iovec part = {(void *)data, size};
    before(fd, &part, 1);
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    struct iovec part = {(void *)data, size};
    before(fd, &part, 1);
    return syscall(SYS_sendto, fd, data, size, flags, to, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    before(fd, message->msg_iov, (int)message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

int connect(int fd, const struct sockaddr *to, socklen_t length) {
    set_kind(fd, 2);
    note(OP_CONNECT, fd, 0, -1, to, length);
    return (int)syscall(SYS_connect, fd, to, length);
}

static int synced(int fd, long number) {
    if (kind_of(fd) != 1) return (int)syscall(number, fd);
    note(OP_SYNC_BEGIN, fd, 0, -1, NULL, 0);
    int result = (int)syscall(number, fd);
    note(OP_SYNC_END, fd, result, -1, NULL, 0);
    return result;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t length) {
    int result = (int)syscall(SYS_ftruncate, fd, length);
    if (kind_of(fd) == 1) note(OP_TRUNCATE, fd, result, length, NULL, 0);
    return result;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

/* Where in the folder is told by `fd`; both names, with a NUL between them. */
static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    struct iovec parts[2] = {{(void *)from, strlen(from) + 1}, {(void *)to, strlen(to)}};
    if (kind_of(from_at) == 1 || strncmp(from, prefix, prefix_length) == 0)
        note_at(next_order(), OP_RENAME, from_at, result, -1, parts, 2, SIZE_MAX);
    return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return renamed(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    return renamed(from_at, from, to_at, to, flags);
}

static int unlinked(int at, const char *path, int flags) {
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    if (kind_of(at) == 1 || strncmp(path, prefix, prefix_length) == 0)
        note(OP_UNLINK, at, result, -1, path, strlen(path));
    return result;
}
int unlink(const char *path) { return unlinked(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlinked(at, path, flags); }

/* TLS: the plain text, before it is sealed. */
int SSL_write(void *ssl, const void *data, int size) {
    static int (*next)(void *, const void *, int);
    if (!next) next = dlsym(RTLD_NEXT, "SSL_write");
    struct iovec part = {(void *)data, (size_t)size};
    note_at(next_order(), OP_TLS_SEND, -1, 0, -1, &part, 1, SOCKET_BYTES);
    return next(ssl, data, size);
}

int SSL_write_ex(void *ssl, const void *data, size_t size, size_t *written) {
    static int (*next)(void *, const void *, size_t, size_t *);
    if (!next) next = dlsym(RTLD_NEXT, "SSL_write_ex");
    struct iovec part = {(void *)data, size};
    note_at(next_order(), OP_TLS_SEND, -1, 0, -1, &part, 1, SOCKET_BYTES);
    return next(ssl, data, size, written);
}
