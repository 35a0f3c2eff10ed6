// SPDX-License-Identifier: MIT
#include "common/os/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <initializer_list>
#include <iterator>

#include "common/os/fd.hpp"

namespace gk::os {

namespace {

// Debian 12's kernel headers end at ABI 2; newer rights are spelled out here (landlock(7)).
constexpr std::uint64_t kTruncate = 1ULL << 14;     // ABI 3
constexpr std::uint64_t kIoctlDevice = 1ULL << 15;  // ABI 5
constexpr std::uint64_t kScopeSignal = 1ULL << 1;   // ABI 6: no signals to processes outside

// The kernel takes any size of ruleset that it knows; the fields after handled_access_fs came with ABI 4 and 6.
struct Ruleset {
    std::uint64_t handled_access_fs = 0;
    std::uint64_t handled_access_net = 0;
    std::uint64_t scoped = 0;
};

constexpr std::uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteRights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kAllRights = (1ULL << 13) - 1;  // ABI 1
// What may be granted on a path that is not a directory.
constexpr std::uint64_t kFileRights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_FILE | kTruncate | kIoctlDevice;

std::uint64_t rights_of_abi(int abi) {
    std::uint64_t rights = kAllRights;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= kTruncate;
    if (abi >= 5) rights |= kIoctlDevice;
    return rights;
}

Status allow_path(int ruleset, const std::string& path, std::uint64_t rights) {
    const Fd opened(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!opened) {
        if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
            return ok();  // what is not there needs no permission
        return fail_errno(fmt::format("cannot open '{}'", path));
    }
    struct stat status {};
    if (::fstat(opened.get(), &status) != 0) return fail_errno(fmt::format("cannot stat '{}'", path));
    if (!S_ISDIR(status.st_mode)) rights &= kFileRights;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = rights;
    rule.parent_fd = opened.get();
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return fail_errno(fmt::format("cannot confine to '{}'", path));
    return ok();
}

Status confine_files(const Sandbox& sandbox, SandboxReport& report) {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return ok();  // ENOSYS: not built in; EOPNOTSUPP: switched off at boot
    report.landlock_abi = static_cast<int>(abi);

    const std::uint64_t known = rights_of_abi(report.landlock_abi);
    Ruleset wanted;
    wanted.handled_access_fs = known;
    if (abi >= 6) wanted.scoped = kScopeSignal;
    const std::size_t size = abi >= 6 ? sizeof wanted : sizeof wanted.handled_access_fs;
    const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &wanted, size, 0)));
    if (!ruleset) return fail_errno("cannot make Landlock rules");

    const std::uint64_t execute = sandbox.may_execute ? LANDLOCK_ACCESS_FS_EXECUTE : 0;
    for (const auto& path : sandbox.read_only)
        GK_CHECK(allow_path(ruleset.get(), path, (kReadRights | execute) & known));
    for (const auto& path : sandbox.read_write)
        GK_CHECK(allow_path(ruleset.get(), path, (kReadRights | kWriteRights) & known));
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return fail_errno("cannot apply Landlock rules");
    report.files_confined = true;
    return ok();
}

// Nobody who serves mail calls these; one attempt means that somebody else is at the wheel.
constexpr const char* kFatalCalls[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "process_madvise",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "unshare",
    "setns",
    "add_key",
    "request_key",
    "keyctl",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "syslog",
    "vhangup",
    "iopl",
    "ioperm",
    "modify_ldt",
    "personality",
    "lookup_dcookie",
    "fanotify_init",
    "open_by_handle_at",
    "name_to_handle_at",
    "mknod",
    "mknodat",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "vmsplice",
    "migrate_pages",
    "move_pages",
    "mbind",
    "set_mempolicy",
};

// The macros of seccomp.h for these are C: compound literals.
constexpr scmp_arg_cmp compared(unsigned argument, scmp_compare how, scmp_datum_t with) {
    return {argument, how, with, 0};
}
constexpr scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t with) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, with};
}

using Program = std::vector<sock_filter>;

class Filter {
public:
    Filter() : context_(::seccomp_init(SCMP_ACT_ALLOW)) {}
    ~Filter() {
        if (context_ != nullptr) ::seccomp_release(context_);
    }
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    explicit operator bool() const { return context_ != nullptr; }
    // A name that this architecture or libseccomp does not know needs no rule.
    void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> when = {}) {
        const int number = ::seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR || number < 0) return;
        const int status =
            ::seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(when.size()), when.begin());
        if (status != 0 && error_ == 0) error_ = -status;
    }
    // What the kernel takes: made once, it can be applied by every process that has it.
    Result<Program> compile() {
        if (error_ != 0) return tl::unexpected<Error>(os_error(error_, "cannot make seccomp rules"));
        ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        const Fd memory(::memfd_create("seccomp", MFD_CLOEXEC));
        if (!memory) return fail_errno("cannot make seccomp rules");
        if (const int status = ::seccomp_export_bpf(context_, memory.get()); status != 0)
            return tl::unexpected<Error>(os_error(-status, "cannot make seccomp rules"));
        const off_t size = ::lseek(memory.get(), 0, SEEK_END);
        Program program(static_cast<std::size_t>(size) / sizeof(sock_filter));
        if (program.empty() || ::pread(memory.get(), program.data(), static_cast<std::size_t>(size), 0) != size)
            return fail_errno("cannot make seccomp rules");
        return program;
    }

private:
    scmp_filter_ctx context_;
    int error_ = 0;
};

bool kernel_has_seccomp() {
    std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

Status apply(const Program& program) {
    sock_fprog applied{};
    applied.len = static_cast<unsigned short>(program.size());
    applied.filter = const_cast<sock_filter*>(program.data());  // only read
    // Threads that are there already, too.
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &applied) != 0)
        return fail_errno("cannot apply seccomp rules");
    return ok();
}

// Stands in a prepared program for the number of the process that will apply it; larger than any (proc(5), pid_max).
constexpr std::uint32_t kSelf = 0x5E1F'5E1F;

// What is the same for every process with these rules, kSelf apart.
Result<Program> compile_calls(const Sandbox& sandbox) {
    Filter filter;
    if (!filter) return fail(Errc::Temporary, "cannot make seccomp rules: out of memory");
    constexpr std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);

    for (const char* name : kFatalCalls) filter.add(SCMP_ACT_KILL_PROCESS, name);
    constexpr std::uint64_t namespaces =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    for (std::uint64_t bit = 1; bit <= namespaces; bit <<= 1)
        if ((namespaces & bit) != 0) filter.add(SCMP_ACT_KILL_PROCESS, "clone", {masked(0, bit, bit)});
    // clone3 hides its flags behind a pointer; glibc falls back to clone on ENOSYS.
    filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    filter.add(refuse, "ioctl", {masked(1, 0xFFFFFFFFu, 0x5412 /* TIOCSTI */)});

    if (!sandbox.may_execute)
        for (const char* name : {"execve", "execveat"}) filter.add(refuse, name);
    if (!sandbox.may_fork) {
        for (const char* name : {"fork", "vfork"}) filter.add(refuse, name);
        filter.add(refuse, "clone", {masked(0, CLONE_THREAD, 0)});
        for (const char* name : {"tkill", "pidfd_send_signal", "pidfd_open"}) filter.add(refuse, name);
        filter.add(refuse, "prlimit64", {compared(0, SCMP_CMP_NE, 0)});
        // Other processes of our user: before Landlock's scopes (ABI 6) nothing else keeps a session from stopping its
        // siblings and its parent, or from changing their limits.
        for (const char* name : {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"})
            filter.add(refuse, name, {compared(0, SCMP_CMP_NE, kSelf)});
    }
    if (sandbox.sockets == Sockets::None) {
        for (const char* name : {"socket", "connect", "bind", "listen", "accept", "accept4"}) filter.add(refuse, name);
    } else if (sandbox.sockets == Sockets::Unix) {
        filter.add(refuse, "socket", {compared(0, SCMP_CMP_NE, AF_UNIX)});
    } else {
        // Families that carry no mail: packet, netlink's exotic friends, vsock, bluetooth … Netlink stays for
        // getaddrinfo.
        for (int family = 3; family < 64; ++family)
            if (family != AF_INET6 && family != AF_NETLINK)
                filter.add(refuse, "socket", {compared(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))});
    }
    return filter.compile();
}

// False: nothing stood for this process, so that its rules would be another's.
bool put_self_in(Program& program) {
    bool found = false;
    for (sock_filter& one : program) {
        if (BPF_CLASS(one.code) != BPF_JMP || one.k != kSelf) continue;
        one.k = static_cast<std::uint32_t>(::getpid());
        found = true;
    }
    return found;
}

// Rules that were made before, by this process or the one it was forked from.
struct Prepared {
    Sockets sockets = Sockets::Any;
    bool may_fork = false, may_execute = false;
    Program program;
};
Prepared& prepared() {
    static Prepared one;
    return one;
}

Status prepare_calls(const Sandbox& sandbox) {
    Prepared& one = prepared();
    if (!one.program.empty() && one.sockets == sandbox.sockets && one.may_fork == sandbox.may_fork &&
        one.may_execute == sandbox.may_execute)
        return ok();
    GK_TRY(auto program, compile_calls(sandbox));
    one = {sandbox.sockets, sandbox.may_fork, sandbox.may_execute, std::move(program)};
    return ok();
}

Status confine_calls(const Sandbox& sandbox, SandboxReport& report) {
    if (!kernel_has_seccomp()) return ok();
    GK_CHECK(prepare_calls(sandbox));
    // One filter, not two: every call of the process passes all that there are.
    Program program = prepared().program;
    if (!sandbox.may_fork && !put_self_in(program))
        return fail(Errc::Unsupported, "cannot make seccomp rules: no rule for signals to others");
    GK_CHECK(apply(program));
    report.calls_confined = true;
    return ok();
}

}  // namespace

std::string SandboxReport::describe() const {
    return fmt::format("{}, {}",
                       files_confined ? fmt::format("files by Landlock ABI {}", landlock_abi) : "files not confined",
                       calls_confined ? "system calls by seccomp" : "system calls not confined");
}

Status forbid_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("cannot give up new privileges");
    return ok();
}

Status drop_all_capabilities() {
    for (int capability = 0; capability <= 63; ++capability) {
        // EINVAL ends the list of capabilities that this kernel knows; EPERM: we may not, and have none to lose.
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
    }
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    // A service manager may have dropped them already and forbidden capset itself.
    __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, held) == 0 && std::all_of(std::begin(held), std::end(held), [](const auto& set) {
            return (set.effective | set.permitted | set.inheritable) == 0;
        }))
        return ok();
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capset, &header, none) != 0) return fail_errno("cannot drop capabilities");
    return ok();
}

void close_descriptors_from(int first, const std::vector<int>& keep) noexcept {
    std::vector<int> kept = keep;
    std::sort(kept.begin(), kept.end());
    unsigned from = static_cast<unsigned>(first);
    for (const int fd : kept) {
        if (fd < 0 || static_cast<unsigned>(fd) < from) continue;
        if (static_cast<unsigned>(fd) > from) ::syscall(SYS_close_range, from, static_cast<unsigned>(fd) - 1, 0);
        from = static_cast<unsigned>(fd) + 1;
    }
    ::syscall(SYS_close_range, from, UINT_MAX, 0);
}

Status prepare(const Sandbox& sandbox) { return kernel_has_seccomp() ? prepare_calls(sandbox) : ok(); }

Result<SandboxReport> enter(const Sandbox& sandbox) {
    SandboxReport report;
    GK_CHECK(forbid_new_privileges());
    if (sandbox.confine_files) GK_CHECK(confine_files(sandbox, report));
    if (sandbox.drop_capabilities) GK_CHECK(drop_all_capabilities());
    GK_CHECK(confine_calls(sandbox, report));
    return report;
}

}  // namespace gk::os
