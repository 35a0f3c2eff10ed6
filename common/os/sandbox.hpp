// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"

// A process closing itself in, for good: Landlock for what it may open, seccomp for what it may ask of the
// kernel, no_new_privs and no capabilities. Inherited by every child. Landlock covers the calling thread and
// what it starts later, so call enter() before the first thread.
namespace gk::os {

enum class Sockets {
    None,  // no new socket of any kind; those already open keep working
    Unix,  // new UNIX sockets only
    Any,
};

struct Sandbox {
    // Files or whole trees that stay reachable; everything else cannot be opened. A path that does not exist is
    // skipped. Shared libraries that are loaded later (NSS, iconv) must be named too; descriptors that are
    // already open are not touched.
    std::vector<std::string> read_only = {};
    std::vector<std::string> read_write = {};  // reading, writing, creating, renaming, unlinking; never executing
    bool confine_files = true;                 // false: leave the file system alone
    Sockets sockets = Sockets::None;
    bool may_fork = false;     // new processes, and signals to others; threads are always allowed
    bool may_execute = false;  // execve: answered EPERM otherwise
    bool drop_capabilities = true;
};

// What the kernel granted. A kernel without Landlock or seccomp is not an error, but the caller logs it.
struct SandboxReport {
    int landlock_abi = 0;  // 0: this kernel has none, or it is switched off
    bool files_confined = false;
    bool calls_confined = false;
    std::string describe() const;  // "files by Landlock ABI 4, system calls by seccomp"
};

// Calls that no honest program of ours makes (ptrace, mount, kernel modules, bpf, namespaces, foreign memory, io_uring,
// keyrings, clocks) end the process with SIGSYS; those that a library may try (socket, connect, execve, fork) fail with
// EPERM. An error means that the kernel has the feature but refused our rules: do not go on.
[[nodiscard]] Result<SandboxReport> enter(const Sandbox& sandbox);

// For a program that forks processes which enter(SANDBOX), paths apart: makes the costly part once, in the parent.
[[nodiscard]] Status prepare(const Sandbox& sandbox);

// The parts, for programs that want one alone.
[[nodiscard]] Status forbid_new_privileges();
[[nodiscard]] Status drop_all_capabilities();  // permitted, effective, inheritable, ambient and bounding
// Closes every descriptor from FIRST on, except those in KEEP.
void close_descriptors_from(int first, const std::vector<int>& keep = {}) noexcept;

}  // namespace gk::os
