// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/lmtp/data_decoder.hpp"
#include "common/smtp/command.hpp"
#include "common/smtp/content.hpp"
#include "common/smtp/reply.hpp"

// The server's side of LMTP (RFC 2033), with PIPELINING, 8BITMIME, SMTPUTF8, CHUNKING, BINARYMIME, ENHANCEDSTATUSCODES,
// SIZE, DSN and XGKTRACE.
namespace gk::lmtp {

using smtp::Reply;

// Who answers for recipients and takes messages. Calls come in this order, for each transaction:
//   recipient() …  write() …  then finish() or reset().
class Receiver {
public:
    virtual ~Receiver() = default;
    // A positive reply adds the recipient to the transaction.
    virtual Reply recipient(const smtp::Mail& mail, const smtp::Rcpt& rcpt) = 0;
    // Content, with CRLF line ends unless BINARYMIME. An error is kept and answered by finish().
    virtual void write(std::string_view bytes) = 0;
    // The message is complete. One reply for each accepted recipient, in order, each given only when it is true:
    // a 250 means durable (RFC 2033, 4.2).
    virtual std::vector<Reply> finish() = 0;
    virtual void reset() noexcept = 0;
};

struct Limits {
    std::uint64_t max_size = 50u << 20;  // bytes of a message
    std::size_t max_recipients = 1000;
    std::size_t max_line = 4096;  // RFC 5321, 4.5.3.1.4 wants 512; extensions add to it
    std::size_t max_errors = 100;
};

// One dialogue as a value: bytes in, bytes out. Holds no descriptor; any split of the input gives the same replies.
class ServerSession {
public:
    // RECEIVER must outlive the session.
    ServerSession(std::string hostname, Receiver& receiver, const Limits& limits = {});

    std::string greeting() const;
    std::string feed(std::string_view bytes);
    bool closed() const noexcept { return closed_; }
    bool in_transaction() const noexcept { return in_mail_; }

private:
    enum class Input { Command, Overlong, Data, Chunk };
    void take_line(std::string_view line);
    void on(const smtp::Helo& lhlo);
    void on(const smtp::Mail& mail);
    void on(const smtp::Rcpt& rcpt);
    void on(const smtp::Data& data);
    void on(const smtp::Bdat& bdat);
    void on(const smtp::Rset& rset);
    void on(const smtp::Noop& noop);
    void on(const smtp::Quit& quit);
    void on(const smtp::Vrfy& vrfy);
    void on(const smtp::Help& help);
    template <class Other>
    void on(const Other&) {
        refuse(502, "5.5.1", "not offered here");
    }

    void take_content(std::string_view bytes);
    void finish_message(bool bare);
    void end_chunk();
    void end_transaction() noexcept;
    void say(int code, std::string_view enhanced, std::string_view text);
    void refuse(int code, std::string_view enhanced, std::string_view text);  // counts as an error
    void answer_each(const Reply& reply);

    std::string hostname_;
    Receiver& receiver_;
    Limits limits_;
    Input input_ = Input::Command;
    std::string line_, out_;
    bool greeted_ = false, in_mail_ = false, in_chunks_ = false, closed_ = false;
    smtp::Mail mail_;
    std::size_t recipients_ = 0, errors_ = 0;
    DataDecoder data_;
    smtp::LineEnds line_ends_;
    std::uint64_t size_ = 0, chunk_left_ = 0, chunk_size_ = 0;
    bool chunk_last_ = false, chunk_refused_ = false;
};

}  // namespace gk::lmtp
