// Stands between the program and the C library (LD_PRELOAD): makes calls fail as a full or read-only disk does, counts
// them, and shifts the wall clock.
//
// SHIM_FAIL_FROM=N   the N-th call that writes to disk and all after it fail
// SHIM_ERRNO=E       with this error (28: no space left, 30: read-only)
// SHIM_COUNT=FILE    at the end the number of those calls is written there
// SHIM_CLOCK=N       the wall clock jumps at every N-th look at it: an hour forward, back to the truth, an hour back
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;
static long fail_from, jump_every;
static int error_number = ENOSPC;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    fail_from = number("SHIM_FAIL_FROM");
    jump_every = number("SHIM_CLOCK");
    if (number("SHIM_ERRNO")) error_number = number("SHIM_ERRNO");
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("SHIM_COUNT");
    fail_from = 0;
    FILE *out = path ? fopen(path, "w") : NULL;
    if (out) {
        fprintf(out, "%ld\n", atomic_load(&calls));
        fclose(out);
    }
}

// Whether this call, which would write to disk, is to fail.
static int fails(void) {
    long n = atomic_fetch_add(&calls, 1) + 1;
    if (!fail_from || n < fail_from) return 0;
    errno = error_number;
    return 1;
}

static int on_disk(int fd) {
    struct stat meta;
    int before = errno;
    int regular = fstat(fd, &meta) == 0 && S_ISREG(meta.st_mode);
    errno = before;
    return fd > 2 && regular;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        mode_t mode = 0;                                  \
        if (flags & (O_CREAT | O_TMPFILE)) {              \
            va_list rest;                                 \
            va_start(rest, flags);                        \
            mode = va_arg(rest, mode_t);                  \
            va_end(rest);                                 \
        }                                                 \
        if ((flags & O_CREAT) && fails()) return -1;      \
        return NEXT(name)(path, flags, mode);             \
    }
OPEN(open)
OPEN(open64)

int openat64(int at, const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    if ((flags & O_CREAT) && fails()) return -1;
    return NEXT(openat64)(at, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (on_disk(fd) && fails()) return -1;
    return NEXT(write)(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (on_disk(fd) && fails()) return -1;
    return NEXT(writev)(fd, parts, count);
}

int fsync(int fd) {
    if (on_disk(fd) && fails()) return -1;
    return NEXT(fsync)(fd);
}

int ftruncate64(int fd, off64_t length) {
    if (on_disk(fd) && fails()) return -1;
    return NEXT(ftruncate64)(fd, length);
}

int rename(const char *from, const char *to) {
    if (fails()) return -1;
    return NEXT(rename)(from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    if (fails()) return -1;
    return NEXT(linkat)(from_at, from, to_at, to, flags);
}

int mkdir(const char *path, mode_t mode) {
    struct stat meta;
    if (stat(path, &meta) != 0 && fails()) return -1;
    return NEXT(mkdir)(path, mode);
}

// A full disk lets files be removed, a read-only one does not.
int unlink(const char *path) {
    if (error_number == EROFS && fails()) return -1;
    return NEXT(unlink)(path);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static atomic_long looks;
    int ended = NEXT(clock_gettime)(clock, time);
    if (ended == 0 && jump_every && clock == CLOCK_REALTIME) {
        static const long shifts[] = {3600, 0, -3600};
        time->tv_sec += shifts[(atomic_fetch_add(&looks, 1) / jump_every) % 3];
    }
    return ended;
}
