/* Kills its process with SIGKILL immediately before its Nth call that changes a file system or starts a process.

   Loaded with LD_PRELOAD into every process; active only in those whose command line contains KILL_ROLE, and only for paths
   that contain KILL_BELOW. KILL_AT is N; 0 counts only. Every call counted is appended to KILL_LOG as one line. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int active = -1, log_fd = -1;
static long kill_at;
static const char *below;
static atomic_long count;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void init(void) {
    if (active >= 0)
        return;
    active = 0;
    const char *role = getenv("KILL_ROLE"), *at = getenv("KILL_AT"), *log = getenv("KILL_LOG");
    below = getenv("KILL_BELOW");
    if (!role || !at || !log || !below)
        return;
    char line[4096];
    int fd = NEXT(open)("/proc/self/cmdline", O_RDONLY);
    ssize_t size = fd < 0 ? -1 : NEXT(read)(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return;
    for (ssize_t i = 0; i < size; i++)
        if (!line[i])
            line[i] = ' ';
    line[size] = 0;
    if (!strstr(line, role))
        return;
    kill_at = atol(at);
    log_fd = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    active = 1;
}

__attribute__((constructor)) static void loaded(void) { init(); }

static void hit(const char *call, const char *path) {
    if (active != 1 || !path || !strstr(path, below))
        return;
    long number = atomic_fetch_add(&count, 1) + 1;
    char line[4096];
    int size = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    NEXT(write)(log_fd, line, size < (int)sizeof line ? size : (int)sizeof line - 1);
    if (number == kill_at)
        kill(getpid(), SIGKILL);
}

static void hit_path(const char *call, int folder, const char *path) {
    if (active != 1 || !path)
        return;
    char full[8192], base[4096] = "";
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(base, sizeof base))
                return;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t size = readlink(link, base, sizeof base - 1);
            base[size < 0 ? 0 : size] = 0;
        }
    }
    snprintf(full, sizeof full, "%s/%s", base, path);
    hit(call, full);
}

static void hit_fd(const char *call, int fd) {
    if (active != 1)
        return;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size > 0) {
        path[size] = 0;
        hit(call, path);
    }
}

#define BY_PATH(name, parameters, folder, path, arguments)                                                             \
    int name parameters {                                                                                              \
        init();                                                                                                        \
        hit_path(#name, folder, path);                                                                                 \
        return NEXT(name) arguments;                                                                                   \
    }
BY_PATH(mkdir, (const char *p, mode_t m), AT_FDCWD, p, (p, m))
BY_PATH(mkdirat, (int d, const char *p, mode_t m), d, p, (d, p, m))
BY_PATH(rmdir, (const char *p), AT_FDCWD, p, (p))
BY_PATH(unlink, (const char *p), AT_FDCWD, p, (p))
BY_PATH(unlinkat, (int d, const char *p, int f), d, p, (d, p, f))
BY_PATH(rename, (const char *p, const char *q), AT_FDCWD, p, (p, q))
BY_PATH(renameat, (int d, const char *p, int e, const char *q), d, p, (d, p, e, q))
BY_PATH(link, (const char *p, const char *q), AT_FDCWD, q, (p, q))
BY_PATH(symlink, (const char *p, const char *q), AT_FDCWD, q, (p, q))
BY_PATH(truncate, (const char *p, off_t s), AT_FDCWD, p, (p, s))
BY_PATH(posix_spawn, (pid_t * pid, const char *p, const posix_spawn_file_actions_t *f, const posix_spawnattr_t *a, char *const v[], char *const e[]), AT_FDCWD, below, (pid, p, f, a, v, e))
BY_PATH(posix_spawnp, (pid_t * pid, const char *p, const posix_spawn_file_actions_t *f, const posix_spawnattr_t *a, char *const v[], char *const e[]), AT_FDCWD, below, (pid, p, f, a, v, e))

#define BY_FD(type, name, parameters, arguments)                                                                       \
    type name parameters {                                                                                             \
        init();                                                                                                        \
        hit_fd(#name, fd);                                                                                             \
        return NEXT(name) arguments;                                                                                   \
    }
BY_FD(ssize_t, write, (int fd, const void *d, size_t s), (fd, d, s))
BY_FD(ssize_t, pwrite, (int fd, const void *d, size_t s, off_t o), (fd, d, s, o))
BY_FD(ssize_t, pwrite64, (int fd, const void *d, size_t s, off64_t o), (fd, d, s, o))
BY_FD(ssize_t, writev, (int fd, const struct iovec *d, int n), (fd, d, n))
BY_FD(int, ftruncate, (int fd, off_t s), (fd, s))
BY_FD(int, ftruncate64, (int fd, off64_t s), (fd, s))
BY_FD(int, fsync, (int fd), (fd))
BY_FD(int, fdatasync, (int fd), (fd))
BY_FD(int, flock, (int fd, int o), (fd, o))

#define OPEN(name, head, folder, call)                                                                                 \
    int name(head const char *path, int flags, ...) {                                                                  \
        mode_t mode = 0;                                                                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                           \
            va_list rest;                                                                                              \
            va_start(rest, flags);                                                                                     \
            mode = va_arg(rest, mode_t);                                                                               \
            va_end(rest);                                                                                              \
        }                                                                                                              \
        init();                                                                                                        \
        if (flags & (O_CREAT | O_TRUNC))                                                                               \
            hit_path(#name, folder, path);                                                                             \
        return call;                                                                                                   \
    }
#define COMMA ,
OPEN(open, , AT_FDCWD, NEXT(open)(path, flags, mode))
OPEN(open64, , AT_FDCWD, NEXT(open64)(path, flags, mode))
OPEN(openat, int d COMMA, d, NEXT(openat)(d, path, flags, mode))
OPEN(openat64, int d COMMA, d, NEXT(openat64)(d, path, flags, mode))
