/* A disk that fails, or hangs, when a file appears. Preloaded into a process.
   SHIM_CALL: open, write, fsync or rename; SHIM_PATH: part of the path; SHIM_WHEN: the file;
   SHIM_ERRNO: what the call then fails with; 0: it waits until the file is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int meets(const char *call, const char *path) {
    const char *wanted = getenv("SHIM_CALL"), *part = getenv("SHIM_PATH"), *when = getenv("SHIM_WHEN");
    if (!wanted || !part || !when || strcmp(wanted, call) || !path || !strstr(path, part) || access(when, F_OK))
        return 0;
    int number = atoi(getenv("SHIM_ERRNO"));
    if (!number) {
        while (!access(when, F_OK)) usleep(20000);
        return 0;
    }
    errno = number;
    return 1;
}

static int meets_file(const char *call, int fd) {
    char link[64], path[4096];
    if (!getenv("SHIM_CALL") || strcmp(getenv("SHIM_CALL"), call)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return meets(call, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MODE(flags) mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }
#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR))

int open(const char *path, int flags, ...) { MODE(flags)
    return WRITES(flags) && meets("open", path) ? -1 : REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags)
    return WRITES(flags) && meets("open", path) ? -1 : REAL(open64)(path, flags, mode); }
ssize_t write(int fd, const void *data, size_t n) {
    return meets_file("write", fd) ? -1 : REAL(write)(fd, data, n); }
ssize_t writev(int fd, const struct iovec *v, int n) {
    return meets_file("write", fd) ? -1 : REAL(writev)(fd, v, n); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) {
    return meets_file("write", fd) ? -1 : REAL(pwritev)(fd, v, n, at); }
int fsync(int fd) { return meets_file("fsync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return meets_file("fsync", fd) ? -1 : REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) {
    return meets("rename", to) ? -1 : REAL(rename)(from, to); }
