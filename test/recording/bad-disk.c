/*
 * A disk that fails, for one process: preloaded, it stands between libuv and the C library for files of recordings.
 *
 *   BAD_DISK         what goes wrong:
 *                      torn   the power fails in a sync: of each page written since the last one, the old or the new
 *                             contents are on the disk, by chance; perhaps also the old length; then the process is gone
 *                      write  a write fails
 *                      sync   a sync fails
 *                      all    writes, syncs and truncations fail
 *                      read   a read fails
 *                      slow   a sync takes BAD_DISK_MS
 *   BAD_DISK_AT      with which operation of that kind it begins, counted from 1
 *   BAD_DISK_FOR     how many operations fail
 *   BAD_DISK_ERRNO   with which error
 *   BAD_DISK_SEED    of what is chance
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long operations;
static ino_t inode;
static off_t safe;

static long number(const char *name, long otherwise) {
  const char *value = getenv(name);
  return value == NULL ? otherwise : strtol(value, NULL, 10);
}

static int mode_is(const char *mode) {
  const char *value = getenv("BAD_DISK");
  return value != NULL && strcmp(value, mode) == 0;
}

static int ends_with(const char *text, const char *ending) {
  size_t length = strlen(text), tail = strlen(ending);
  return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* Whether a file is a segment: one that is written, or, to read from, any. */
static int is_segment(int fd, int sealed_too) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  return ends_with(path, ".part") || (sealed_too && ends_with(path, ".mcap"));
}

/* Counts an operation. Returns whether it is to fail; errno is set then. */
static int fails(void) {
  pthread_mutex_lock(&lock);
  long count = ++operations;
  pthread_mutex_unlock(&lock);
  long from = number("BAD_DISK_AT", 1);
  if (count < from || count >= from + number("BAD_DISK_FOR", 1)) return 0;
  errno = (int)number("BAD_DISK_ERRNO", EIO);
  return 1;
}

/* What a power cut leaves of what was written since the last sync. */
static void tear(int fd) {
  ssize_t (*write_true)(int, const void *, size_t, off_t) =
      (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
  int (*truncate_true)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
  static const char zeros[PAGE];
  struct stat now;
  srand((unsigned)number("BAD_DISK_SEED", 1));
  if (fstat(fd, &now) != 0) abort();
  for (off_t page = safe / PAGE; page * PAGE < now.st_size; page++) {
    off_t start = page * PAGE < safe ? safe : page * PAGE;
    off_t end = (page + 1) * PAGE < now.st_size ? (page + 1) * PAGE : now.st_size;
    if (rand() % 2 == 0 && write_true(fd, zeros, (size_t)(end - start), start) != end - start) abort();
  }
  if (rand() % 3 == 0) {
    off_t grown = now.st_size - safe;
    if (grown > 0 && truncate_true(fd, safe + rand() % grown) != 0) abort();
  }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

int fdatasync(int fd) {
  int (*sync_true)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  if (!is_segment(fd, 0)) return sync_true(fd);
  if (mode_is("slow")) {
    long ms = number("BAD_DISK_MS", 100);
    struct timespec rest = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&rest, NULL);
  }
  if ((mode_is("sync") || mode_is("all")) && fails()) return -1;
  if (mode_is("torn")) {
    struct stat now;
    if (fstat(fd, &now) != 0) abort();
    if (now.st_ino != inode) safe = 0;
    inode = now.st_ino;
    if (fails()) tear(fd);
    int done = sync_true(fd);
    if (done == 0) safe = now.st_size;
    return done;
  }
  return sync_true(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
  ssize_t (*write_true)(int, const void *, size_t, off_t) =
      (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
  if ((mode_is("write") || mode_is("all")) && is_segment(fd, 0) && fails()) return -1;
  return write_true(fd, bytes, length, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

int ftruncate64(int fd, off_t length) {
  int (*truncate_true)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
  if (mode_is("all") && is_segment(fd, 0) && fails()) return -1;
  return truncate_true(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

ssize_t pread64(int fd, void *bytes, size_t length, off_t at) {
  ssize_t (*read_true)(int, void *, size_t, off_t) =
      (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
  if (mode_is("read") && is_segment(fd, 1) && fails()) return -1;
  return read_true(fd, bytes, length, at);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return pread64(fd, bytes, length, at); }
