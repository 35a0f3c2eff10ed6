// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string>

#include "common/message/transport.hpp"
#include "common/queue/spool_file.hpp"
#include "common/smtp_client/session.hpp"

// What goes over the wire of one message: as it came, or rewritten for a peer that takes less than it asks.
namespace gk::queue {

// One form. Signatures go in front and are made for each form: a rewriting breaks those that were there (RFC
// 6376, 5.3).
struct Content {
    smtp_client::Source source;
    std::uint64_t size = 0;
    std::optional<Result<std::string>> signatures;
};

// The form for one peer, and what it still asks of it.
struct ChosenContent {
    Content* content = nullptr;
    bool eight_bit = false, binary = false, utf8_header = false;
};

// The forms of one message, each made once. FILE, a spool file at PATH, stays where it is meanwhile. Any thread.
class Forms {
public:
    // What a peer offers; the usual one gets the message as it came, and nothing is read. A rewritten form is an
    // unnamed file below SPOOL_DIR. BadInput: the message has no form for this peer. Temporary: the disk.
    Result<ChosenContent> choose(const SpoolFile& file, const std::string& path, const std::string& spool_dir,
                                 const smtp_client::Capabilities& peer);
    // Guards Content::signatures.
    std::mutex& mutex() noexcept { return mutex_; }

private:
    enum Form { AsItIs, EightBit, SevenBit };
    Status learn_demands(const SpoolFile& file, const std::string& path);
    Result<Content*> rewritten(Form form, const SpoolFile& file, const std::string& path, const std::string& spool_dir);

    std::mutex mutex_;
    std::array<std::optional<Content>, 3> contents_;
    std::optional<message::Demands> demands_;
};

// The message in FILE, which has to outlive it.
smtp_client::Source source_of(const SpoolFile& file);

}  // namespace gk::queue
