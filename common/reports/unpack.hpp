// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/reports/model.hpp"

// How reports travel: gzip (RFC 1952), zip as older reporters do, or plain.
namespace gk::reports {

using Sink = std::function<Status(std::string_view)>;

// Gives SINK the report inside BYTES, in pieces. What it is is told by its first octets, whatever it is called. Of a
// zip archive the one member that is a file is read, by content and never by name; more than one, or an encrypted one,
// is an error. BadInput: damaged, cut off, past LIMITS; the rest of it is not unpacked. SINK's errors end the reading.
Status unpack(std::string_view bytes, const ParseLimits& limits, const Sink& sink);

// Bytes to gzip, a piece at a time; the same bytes always give the same result.
class Gzip {
public:
    Gzip();
    ~Gzip();
    Gzip(Gzip&&) noexcept;
    Gzip& operator=(Gzip&&) noexcept;
    void write(std::string_view bytes);
    std::size_t size() const noexcept;  // packed so far
    std::string finish();               // once

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gk::reports
