// Loaded into the daemon with LD_PRELOAD: lets operations on files below FAULT_DIR fail at random, as a bad disk does, or be cut short,
// as the system may. FAULT_SEED chooses which; of those behind the first FAULT_FREE, one in FAULT_EVERY. Built by faulty-files.ts.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#undef fread_unlocked
#undef fwrite_unlocked
#undef fflush_unlocked

#define FDS_MAX 65536

static const char *dir;
static size_t dir_length;
static uint64_t seed, every, free_operations, delay_us;
static atomic_ullong operations;
static atomic_char watched[FDS_MAX];

__attribute__((constructor)) static void begin(void) {
  const char *text;
  dir = getenv("FAULT_DIR");
  dir_length = dir ? strlen(dir) : 0;
  seed = (text = getenv("FAULT_SEED")) ? strtoull(text, NULL, 10) : 1;
  every = (text = getenv("FAULT_EVERY")) ? strtoull(text, NULL, 10) : 1000;
  delay_us = (text = getenv("FAULT_DELAY_US")) ? strtoull(text, NULL, 10) : 0;
  free_operations = (text = getenv("FAULT_FREE")) ? strtoull(text, NULL, 10) : 0;
}

static int is_below(const char *path) {
  return dir && path && strncmp(path, dir, dir_length) == 0;
}

/* A number for each operation, which follows from the seed alone; 0 for those that go well. */
static uint64_t draw(void) {
  uint64_t at = atomic_fetch_add(&operations, 1);
  if (at < free_operations || every == 0) return 0;
  uint64_t x = seed * 0x9e3779b97f4a7c15ULL + at * 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 30; x *= 0xbf58476d1ce4e5b9ULL; x ^= x >> 27; x *= 0x94d049bb133111ebULL; x ^= x >> 31;
  return x % every == 0 ? (x >> 32) | 1 : 0;
}

static int fails(const char *what, const char *path, int number) {
  char line[600];
  int length = snprintf(line, sizeof line, "fault: %s %s: errno %d\n", what, path ? path : "", number);
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  if (length > 0) real(2, line, (size_t)length);
  errno = number;
  return -1;
}

static int disk_error(uint64_t drawn) {
  return (drawn >> 1) % 3 == 0 ? ENOSPC : EIO;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    static int (*real)(const char *, int, ...); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    va_list rest; va_start(rest, flags); mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; va_end(rest); \
    int below = is_below(path); \
    uint64_t drawn = below ? draw() : 0; \
    if (drawn) return fails("open", path, disk_error(drawn)); \
    int fd = real(path, flags, mode); \
    if (fd >= 0 && fd < FDS_MAX) watched[fd] = (char)below; \
    return fd; \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < FDS_MAX) watched[fd] = 0;
  return real(fd);
}

static uint64_t draw_for(int fd) {
  return fd >= 0 && fd < FDS_MAX && watched[fd] ? draw() : 0;
}

static uint64_t slow_draw_for(int fd) {
  uint64_t drawn = draw_for(fd);
  if (delay_us && fd >= 0 && fd < FDS_MAX && watched[fd]) usleep((useconds_t)delay_us);
  return drawn;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  uint64_t drawn = slow_draw_for(fd);
  if (!drawn) return real(fd, bytes, count);
  switch ((drawn >> 1) % 4) {
    case 0: errno = EINTR; return -1;
    case 1: return real(fd, bytes, count > 1 ? count / 2 : count);
    case 2: if (count > 1 && real(fd, bytes, count / 3) < 0) return -1; return fails("write in part", "", disk_error(drawn >> 3));
    default: return fails("write", "", disk_error(drawn >> 3));
  }
}

#define READ(name, declared, passed) \
  ssize_t name declared { \
    static ssize_t (*real) declared; \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    return draw_for(fd) ? fails(#name, "", EIO) : real passed; \
  }
READ(read, (int fd, void *bytes, size_t count), (fd, bytes, count))
READ(pread, (int fd, void *bytes, size_t count, off_t offset), (fd, bytes, count, offset))
READ(pread64, (int fd, void *bytes, size_t count, off64_t offset), (fd, bytes, count, offset))

/* LevelDB reads and writes through stdio, whose own reads and writes nobody else sees. */
#define FREAD(name) \
  size_t name(void *bytes, size_t size, size_t count, FILE *file) { \
    static size_t (*real)(void *, size_t, size_t, FILE *); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    if (!draw_for(fileno(file))) return real(bytes, size, count, file); \
    fails(#name, "", EIO); \
    return 0; \
  }
FREAD(fread)
FREAD(fread_unlocked)

static int (*flush)(FILE *);

#define FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    static FILE *(*real)(const char *, const char *); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    int below = is_below(path); \
    uint64_t drawn = below ? draw() : 0; \
    if (drawn) { fails("fopen", path, disk_error(drawn)); return NULL; } \
    FILE *file = real(path, mode); \
    if (file && fileno(file) < FDS_MAX) watched[fileno(file)] = (char)below; \
    return file; \
  }
FOPEN(fopen)
FOPEN(fopen64)

#define FWRITE(name) \
  size_t name(const void *bytes, size_t size, size_t count, FILE *file) { \
    static size_t (*real)(const void *, size_t, size_t, FILE *); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    uint64_t drawn = draw_for(fileno(file)); \
    if (!drawn) return real(bytes, size, count, file); \
    if (!flush) flush = dlsym(RTLD_NEXT, "fflush_unlocked"); \
    size_t part = (drawn >> 1) % 2 ? real(bytes, size, count / 3, file) : 0; \
    if (part > 0) flush(file); \
    fails("fwrite", "", disk_error(drawn >> 2)); \
    return part; \
  }
FWRITE(fwrite)
FWRITE(fwrite_unlocked)

#define FFLUSH(name) \
  int name(FILE *file) { \
    static int (*real)(FILE *); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    uint64_t drawn = file ? draw_for(fileno(file)) : 0; \
    return drawn ? fails(#name, "", disk_error(drawn)) : real(file); \
  }
FFLUSH(fflush)
FFLUSH(fflush_unlocked)

#define SYNC(name) \
  int name(int fd) { \
    static int (*real)(int); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    return slow_draw_for(fd) ? fails(#name, "", EIO) : real(fd); \
  }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real) real = dlsym(RTLD_NEXT, "rename");
  uint64_t drawn = is_below(to) ? draw() : 0;
  return drawn ? fails("rename", to, disk_error(drawn)) : real(from, to);
}

int link(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real) real = dlsym(RTLD_NEXT, "link");
  uint64_t drawn = is_below(to) ? draw() : 0;
  return drawn ? fails("link", to, disk_error(drawn)) : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  static int (*real)(const char *, mode_t);
  if (!real) real = dlsym(RTLD_NEXT, "mkdir");
  uint64_t drawn = is_below(path) ? draw() : 0;
  return drawn ? fails("mkdir", path, disk_error(drawn)) : real(path, mode);
}

int unlink(const char *path) {
  static int (*real)(const char *);
  if (!real) real = dlsym(RTLD_NEXT, "unlink");
  return is_below(path) && draw() ? fails("unlink", path, EIO) : real(path);
}

#define MMAP(name, offset_type) \
  void *name(void *address, size_t length, int protection, int flags, int fd, offset_type offset) { \
    static void *(*real)(void *, size_t, int, int, int, offset_type); \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    if (fd >= 0 && draw_for(fd)) { fails("mmap", "", EIO); return MAP_FAILED; } \
    return real(address, length, protection, flags, fd, offset); \
  }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
