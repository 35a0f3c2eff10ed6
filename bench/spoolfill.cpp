// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

#include "common/base/ids.hpp"
#include "common/queue/spool.hpp"
#include "common/queue/spool_file.hpp"

// spoolfill SPOOL FOLDER COUNT LENGTH SENDER RECIPIENT: fills a spool with messages as SpoolWriter writes them, but
// syncs nothing. In SENDER and RECIPIENT {} stands for the message's number, {N} for the remainder by N. Prints
// nothing.
namespace {

using namespace gk;

std::string numbered(std::string_view form, unsigned long number) {
    std::string out;
    for (;;) {
        const auto open = form.find('{'), close = form.find('}', open);
        if (close == std::string_view::npos) return out += form;
        const unsigned long by = std::strtoul(std::string(form.substr(open + 1)).c_str(), nullptr, 10);
        out += fmt::format("{}{}", form.substr(0, open), by ? number % by : number);
        form.remove_prefix(close + 1);
    }
}

bool write_file(const std::string& path, std::string_view bytes) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660);
    const bool written = fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    if (fd >= 0) ::close(fd);
    return written;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fputs("usage: spoolfill SPOOL FOLDER COUNT LENGTH SENDER RECIPIENT\n", stderr);
        return 64;
    }
    const std::string spool = argv[1], folder = argv[2];
    const unsigned long count = std::strtoul(argv[3], nullptr, 10), length = std::strtoul(argv[4], nullptr, 10);
    if (!queue::create_spool(spool)) return 73;
    std::string message = "From: <bulk@a.test>\r\nSubject: queued\r\n\r\n";
    while (message.size() < length) message += "What is queued says the same sixty-six octets again and again.\r\n";
    const auto checksum = queue::crc32(0, message);
    for (unsigned long n = 0; n < count; ++n) {
        queue::Envelope envelope;
        envelope.id = envelope.trace_id = new_id();
        envelope.reverse_path = numbered(argv[5], n);
        envelope.arrival = now();
        envelope.recipients.push_back({numbered(argv[6], n), "", queue::kNotifyUnset, {}});
        const auto lines = queue::format_envelope(envelope);
        const queue::Head head{lines.size(), message.size(), queue::crc32(0, lines), checksum};
        // Written beside, then named: the daemon may be looking.
        const std::string temporary = fmt::format("{}/tmp/{}", spool, envelope.id);
        const std::string name = fmt::format("{}/{}/{}", spool, folder, envelope.id);
        if (!write_file(temporary, queue::format_head(head) + lines + message) ||
            ::rename(temporary.c_str(), name.c_str()) != 0) {
            std::perror(name.c_str());
            return 74;
        }
    }
    return 0;
}
