// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/os/fd.hpp"
#include "common/store/types.hpp"

namespace gk::store {

// "account TAB mailbox TAB modseq", the first two percent-encoded.
std::string format_change(const Change& change);
struct ReceivedChange {
    std::string account, mailbox;
    ModSeq modseq = 0;
};
std::optional<ReceivedChange> parse_change(std::string_view datagram);

// Tells the listener at a UNIX datagram socket of every change; nobody there, or a full queue, is no error:
// listeners ask for what they missed. Thread-safe.
class ChangeSocket : public ChangeSink {
public:
    explicit ChangeSocket(std::string path);  // run/changes.sock
    void changed(const Change& change) noexcept override;

private:
    std::string path_;
    os::Fd fd_;
};

}  // namespace gk::store
