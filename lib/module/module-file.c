/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module-file - from a path to bytes nobody can change, and the judgement over those bytes.
 *
 * The folder is opened and judged first, the file inside it then by that descriptor and without
 * following links; its bytes are copied to a memfd that is sealed before anybody looks at them.
 * What is checked is therefore what is loaded. Thread: any.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "module/module.h"
#include "module/module-error.h"

#define MODULE_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Newer than Debian 12's kernel headers. Mapping needs no execute bit, so it can go. */
#define MFD_NOEXEC_SEAL_ 0x0008u

#if defined(__x86_64__)
#define ELF_OURS EM_X86_64
#elif defined(__aarch64__)
#define ELF_OURS EM_AARCH64
#else
#error "the table's layout is known for x86-64 and arm64"
#endif

static int judge_owner(const struct stat *st, const char *what, const char *path,
		       struct module_error *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return module_fail(err, -EPERM,
				   "%s %s is owned by uid %u; it must be root or this user", what,
				   path, st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return module_fail(err, -EPERM, "%s %s is writable by others; chmod go-w", what,
				   path);
	return 0;
}

/* The folder of path, judged; *ret_base is the name inside it. */
static int open_folder(const char *path, const char **ret_base, struct module_error *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;
	int fd, r;

	*ret_base = slash ? slash + 1 : path;
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else if (slash == path)
		snprintf(folder, sizeof(folder), "/");
	else if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >=
		 sizeof(folder))
		return module_fail(err, -ENAMETOOLONG, "the path is too long");
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return module_fail(err, -errno, "cannot open folder %s: %s", folder,
				   strerror(errno));
	if (fstat(fd, &st) < 0)
		r = module_fail(err, -errno, "cannot stat folder %s: %s", folder, strerror(errno));
	else
		r = judge_owner(&st, "folder", folder, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int open_file(const char *path, off_t *ret_size, struct module_error *err)
{
	const char *base;
	struct stat st;
	int fd, r;
	int folder = open_folder(path, &base, err);

	if (folder < 0)
		return folder;
	fd = openat(folder, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	r = -errno;
	close(folder);
	if (fd < 0)
		return module_fail(err, r, "cannot open %s: %s", path, strerror(-r));
	if (fstat(fd, &st) < 0)
		r = module_fail(err, -errno, "cannot stat %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = module_fail(err, -EINVAL, "%s is not a regular file", path);
	else if (st.st_size <= 0 || st.st_size > MODULE_MAX)
		r = module_fail(err, -EFBIG, "%s has %lld bytes; 1 to %u are possible", path,
				(long long)st.st_size, MODULE_MAX);
	else
		r = judge_owner(&st, "file", path, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_size = st.st_size;
	return fd;
}

static int memfd_new(struct module_error *err)
{
	int fd = memfd_create("kcf-module", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL_);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("kcf-module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return module_fail(err, -errno, "cannot make a memfd: %s", strerror(errno));
	return fd;
}

/* A file that changes its length meanwhile is refused. */
static int copy_bytes(int from, int to, off_t size)
{
	char buf[65536];
	off_t done = 0;

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return done == size ? 0 : -ESTALE;
		done += n;
		if (done > size)
			return -ESTALE;
		for (ssize_t put = 0; put < n;) {
			ssize_t m = write(to, buf + put, (size_t)(n - put));

			if (m < 0 && errno != EINTR)
				return -errno;
			put += m > 0 ? m : 0;
		}
	}
}

int module_seal(const char *path, struct module_error *err)
{
	off_t size = 0;
	int fd, r;
	int file = open_file(path, &size, err);

	if (file < 0)
		return file;
	fd = memfd_new(err);
	if (fd < 0) {
		close(file);
		return fd;
	}
	r = copy_bytes(file, fd, size);
	close(file);
	if (!r && fcntl(fd, F_ADD_SEALS, MODULE_SEALS) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return module_fail(err, r, "cannot copy %s: %s", path, strerror(-r));
	}
	return fd;
}

/* Does the file hold every segment it promises? Mapped without this, one that was cut off ends the process. */
static bool segments_ok(int fd, const Elf64_Ehdr *ehdr, uint64_t size)
{
	if (ehdr->e_phentsize != sizeof(Elf64_Phdr) || ehdr->e_phnum == 0)
		return false;
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		Elf64_Phdr ph;
		uint64_t at = ehdr->e_phoff + i * sizeof(ph);

		if (at < ehdr->e_phoff || at > size - sizeof(ph) ||
		    pread(fd, &ph, sizeof(ph), (off_t)at) != (ssize_t)sizeof(ph))
			return false;
		if (ph.p_type == PT_LOAD && (ph.p_offset > size || ph.p_filesz > size - ph.p_offset))
			return false;
	}
	return true;
}

/*
 * The one judge. Today: the bytes can no longer change, and are a shared object of this machine.
 * Who may say which modules are good is decided by where they lie (module_seal) and who passed them
 * (the client's trust in its peer); signatures are to be checked here, over the same sealed bytes.
 */
int module_verify(int fd, struct module_error *err)
{
	Elf64_Ehdr ehdr;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & MODULE_SEALS) != MODULE_SEALS)
		return module_fail(err, -EPERM, "the module's bytes are not sealed");
	if (fstat(fd, &st) < 0)
		return module_fail(err, -errno, "cannot stat: %s", strerror(errno));
	if (st.st_size > MODULE_MAX)
		return module_fail(err, -EFBIG, "the module is larger than %u bytes", MODULE_MAX);
	if (pread(fd, &ehdr, sizeof(ehdr), 0) != (ssize_t)sizeof(ehdr) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_type != ET_DYN)
		return module_fail(err, -ENOEXEC, "not a shared object");
	if (ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr.e_machine != ELF_OURS)
		return module_fail(err, -ENOEXEC, "a shared object for another machine");
	if (!segments_ok(fd, &ehdr, (uint64_t)st.st_size))
		return module_fail(err, -ENOEXEC, "a shared object that was cut off");
	return 0;
}
