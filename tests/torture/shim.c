/* Stands between a server and the C library (LD_PRELOAD), and lets calls on files below SHIM_DIR fail:
 *
 *     SHIM_CALL   write, or sync (fsync and fdatasync)
 *     SHIM_NTH    the first call that fails, counted from 1
 *     SHIM_TIMES  how many fail, 0 for all that follow
 *     SHIM_ERRNO  with what error
 *     SHIM_BYTES  not 0: such a write fails by taking only so many bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int is_ours(int fd) {
    char link[64], path[4096];
    const char *dir = getenv("SHIM_DIR");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (!dir || len <= 0) return 0;
    path[len] = 0;
    return strncmp(path, dir, strlen(dir)) == 0;
}

static int fails(const char *call, int fd) {
    const char *wanted = getenv("SHIM_CALL");
    if (!wanted || strcmp(wanted, call) != 0 || !is_ours(fd)) return 0;
    long nth = atomic_fetch_add(&calls, 1) + 1, first = number("SHIM_NTH"), times = number("SHIM_TIMES");
    return nth >= first && (times == 0 || nth < first + times);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (!fails("write", fd)) return real(fd, bytes, len);
    size_t taken = (size_t)number("SHIM_BYTES");
    if (taken > 0 && taken < len) return real(fd, bytes, taken);
    errno = (int)number("SHIM_ERRNO");
    return -1;
}

static int sync_with(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!fails("sync", fd)) return real(fd);
    errno = (int)number("SHIM_ERRNO");
    return -1;
}

int fsync(int fd) { return sync_with("fsync", fd); }

int fdatasync(int fd) { return sync_with("fdatasync", fd); }
