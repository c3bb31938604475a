/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dataplane/api/digest.h"

#define HEADER_SIZE 4096u
#define HUGE_PAGE (2ull << 20)

/* Bytes that a hugetlbfs can still give. One mounted without a limit reports no blocks at all: then the pages of the pool count. */
static uint64_t
hugetlbfs_room(const struct statfs *fs)
{
	unsigned long long pages = 0;
	char path[96];
	FILE *f;

	if (fs->f_blocks != 0)
		return (uint64_t)fs->f_bfree * (uint64_t)fs->f_bsize;
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)fs->f_bsize / 1024);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)fs->f_bsize;
}

int
ps_hugetlbfs_find(uint64_t size, char *path, size_t path_size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char text[1024];
	int rc = -ENOENT;

	if (mounts == NULL)
		return -ENOENT;
	while (rc != 0 && getmntent_r(mounts, &entry, text, sizeof(text)) != NULL) {
		struct statfs fs;

		if (strcmp(entry.mnt_type, "hugetlbfs") != 0 || statfs(entry.mnt_dir, &fs) != 0 ||
		    access(entry.mnt_dir, W_OK) != 0 || strlen(entry.mnt_dir) >= path_size)
			continue;
		/* Pages of 1 GiB are too coarse for files of some megabytes. */
		if ((uint64_t)fs.f_bsize > HUGE_PAGE || hugetlbfs_room(&fs) < size)
			continue;
		snprintf(path, path_size, "%s", entry.mnt_dir);
		rc = 0;
	}
	endmntent(mounts);
	return rc;
}

void *
ps_private_memory(uint64_t size)
{
	uint64_t whole = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	uint8_t *p, *aligned;

	/* Aligned by hand, so that the kernel can use huge pages from the first byte on. */
	p = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	aligned = (uint8_t *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
	if (aligned != p)
		munmap(p, (size_t)(aligned - p));
	munmap(aligned + whole, (size_t)(p + HUGE_PAGE - aligned));
	madvise(aligned, whole, MADV_HUGEPAGE);
	madvise(aligned, whole, MADV_POPULATE_WRITE); /* the packet path takes no page fault; older kernels: it takes some */
	return aligned;
}

static int
map(struct ps_flow_file *f)
{
	f->base = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->fd, 0);
	if (f->base == MAP_FAILED) {
		f->base = NULL;
		return -errno;
	}
	if (!f->hugepages)
		madvise(f->base, f->size, MADV_HUGEPAGE);
	return 0;
}

static bool
on_hugetlbfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/*
 * The runtime directory may belong to a less privileged user than this process, who could put anything under our names. So
 * no link is followed but one to a file of our name in a hugetlbfs, nothing existing is written to that is not our own
 * regular file, and nothing else is removed.
 */
static bool
own_file(int fd, struct stat *st)
{
	return fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* The file in a hugetlbfs that the link at path leads to; false: there is none. */
static bool
huge_target(const char *path, char *target, size_t size)
{
	ssize_t n = readlink(path, target, size - 1);
	const char *base;
	struct statfs fs;

	if (n <= 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	return base != NULL && strncmp(base, "/penstock-", 10) == 0 && statfs(target, &fs) == 0 &&
	       fs.f_type == HUGETLBFS_MAGIC;
}

int
ps_own_file_open(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

	if (fd >= 0 && own_file(fd, &st))
		return fd;
	if (fd >= 0)
		close(fd);
	if (unlink(path) != 0)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	return fd >= 0 ? fd : -errno;
}

int
ps_flow_file_open(struct ps_flow_file *f, const char *runtime_dir, uint32_t family, uint32_t worker, uint64_t boot_id)
{
	const struct ps_flows_header *h;
	char target[512];
	struct stat st;
	int rc;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	if (snprintf(f->path, sizeof(f->path), "%s/%s-%u-%u", runtime_dir, PS_FLOWS_FILE, family, worker) >=
	    (int)sizeof(f->path))
		return -ENAMETOOLONG;
	f->fd = open(huge_target(f->path, target, sizeof(target)) ? target : f->path,
		     O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (f->fd < 0)
		return -errno;
	if (!own_file(f->fd, &st)) {
		rc = -EPROTO;
		goto close;
	}
	if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
		rc = -EBUSY;
		goto close;
	}
	rc = -EPROTO;
	if (st.st_size < (off_t)HEADER_SIZE)
		goto close;
	f->size = (uint64_t)st.st_size;
	f->hugepages = on_hugetlbfs(f->fd);
	rc = map(f);
	if (rc != 0)
		goto close;
	h = f->base;
	rc = -EPROTO;
	if (h->magic != PS_FLOWS_MAGIC || h->abi != PS_ABI || h->family != family || h->worker != worker ||
	    h->boot_id != boot_id || boot_id == 0 || h->capacity == 0 ||
	    h->record_size != (family == 4 ? 64u : 128u) || h->records_offset != HEADER_SIZE || h->workers == 0 ||
	    h->workers > PS_MAX_WORKERS || h->size > f->size ||
	    (uint64_t)h->capacity * h->record_size > f->size - HEADER_SIZE)
		goto close;
	return 0;
close:
	ps_flow_file_close(f);
	return rc;
}

/* One place: path, or a hugetlbfs file. */
static int
make_at(struct ps_flow_file *f, const char *path, uint64_t size, bool hugepages)
{
	int rc;

	f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (f->fd < 0)
		return -errno;
	f->hugepages = hugepages;
	f->size = hugepages ? (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : size;
	rc = flock(f->fd, LOCK_EX | LOCK_NB) != 0 ? -EBUSY : 0;
	/* Room for all of it now: running out later would be a SIGBUS. */
	if (rc == 0 && ftruncate(f->fd, (off_t)f->size) != 0)
		rc = -errno;
	if (rc == 0 && fallocate(f->fd, 0, 0, (off_t)f->size) != 0 && errno != EOPNOTSUPP)
		rc = -errno;
	if (rc == 0)
		rc = map(f);
	if (rc != 0) {
		ps_flow_file_close(f);
		unlink(path);
	}
	return rc;
}

/* Tells instances of the same name apart in a hugetlbfs that they share: by where they run. */
static uint32_t
directory_tag(const char *runtime_dir)
{
	char real[PATH_MAX];
	const char *name = realpath(runtime_dir, real) != NULL ? real : runtime_dir;

	return (uint32_t)ps_digest(name, strlen(name), 0);
}

int
ps_flow_file_make(struct ps_flow_file *f, const char *runtime_dir, const char *hugetlbfs, const char *instance,
		  const struct ps_flows_header *header)
{
	uint64_t size = (HEADER_SIZE + (uint64_t)header->capacity * header->record_size + 4095u) & ~4095ull;
	char beside[272], huge[512];
	struct ps_flows_header *h;
	int rc = -ENOENT;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	if (snprintf(f->path, sizeof(f->path), "%s/%s-%u-%u", runtime_dir, PS_FLOWS_FILE, header->family,
		     header->worker) >= (int)sizeof(f->path))
		return -ENAMETOOLONG;
	snprintf(beside, sizeof(beside), "%s.new", f->path);
	unlink(beside);
	if (hugetlbfs != NULL) {
		uint32_t try;

		/* Two names take turns, because the one in use stays until the new one is published. */
		for (try = 0; try < 2 && rc != 0; try++) {
			char old[512];

			snprintf(huge, sizeof(huge), "%s/penstock-%s-%08x-%s-%u-%u%s", hugetlbfs, instance,
				 directory_tag(runtime_dir), PS_FLOWS_FILE, header->family, header->worker,
				 try == 0 ? "" : ".b");
			if (huge_target(f->path, old, sizeof(old)) && strcmp(old, huge) == 0)
				continue;
			unlink(huge);
			rc = make_at(f, huge, size, true);
		}
		if (rc == 0 && symlink(huge, beside) != 0) {
			rc = -errno;
			ps_flow_file_close(f);
			unlink(huge);
		}
	}
	if (rc != 0) {
		unlink(beside);
		rc = make_at(f, beside, size, false);
	}
	if (rc != 0)
		return rc;
	h = f->base;
	*h = *header;
	h->magic = PS_FLOWS_MAGIC;
	h->abi = PS_ABI;
	h->size = size;
	h->records_offset = HEADER_SIZE;
	return 0;
}

int
ps_flow_file_publish(struct ps_flow_file *f)
{
	char beside[272], old[512];
	bool huge = huge_target(f->path, old, sizeof(old));

	snprintf(beside, sizeof(beside), "%s.new", f->path);
	if (rename(beside, f->path) != 0)
		return -errno;
	if (huge)
		unlink(old);
	return 0;
}

void
ps_flow_file_remove(const char *runtime_dir, uint32_t family, uint32_t worker)
{
	char path[256], target[512];
	bool huge;

	snprintf(path, sizeof(path), "%s/%s-%u-%u", runtime_dir, PS_FLOWS_FILE, family, worker);
	huge = huge_target(path, target, sizeof(target));
	unlink(path);
	if (huge)
		unlink(target);
}

void
ps_flow_file_close(struct ps_flow_file *f)
{
	if (f->base != NULL)
		munmap(f->base, f->size);
	if (f->fd >= 0)
		close(f->fd);
	f->base = NULL;
	f->fd = -1;
}
