/* Breaks, for one process, the disk under its log and the wall clock.
 *
 *   FAULTS_PREFIX=/path/of/the/log FAULTS_SWITCH=/path/of/a/file FAULTS_CLOCK=-3600 LD_PRELOAD=./faults.so program
 *
 * While the file FAULTS_SWITCH is there, writes to files under FAULTS_PREFIX take half of what they are given and then
 * fail with ENOSPC, and syncs fail with EIO. FAULTS_CLOCK seconds are added to CLOCK_REALTIME, and to nothing else.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fails(int fd) {
    const char *prefix = getenv("FAULTS_PREFIX"), *lever = getenv("FAULTS_SWITCH");
    if (!prefix || !lever || access(lever, F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    static __thread int halves;
    int saved = errno;
    if (!fails(fd)) {
        errno = saved;
        return syscall(SYS_write, fd, bytes, count);
    }
    if (count > 1 && (halves = !halves)) return syscall(SYS_write, fd, bytes, count / 2);
    errno = ENOSPC;
    return -1;
}

static int sync_or_fail(int fd, long call) {
    if (!fails(fd)) return (int)syscall(call, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd) { return sync_or_fail(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_or_fail(fd, SYS_fdatasync); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    long code = syscall(SYS_clock_gettime, clock, time);
    const char *shift = getenv("FAULTS_CLOCK");
    if (code == 0 && clock == CLOCK_REALTIME && shift) time->tv_sec += atol(shift);
    return (int)code;
}
