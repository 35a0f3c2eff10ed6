// SPDX-License-Identifier: MIT
#include "common/base/text.hpp"
#include "common/net/stream.hpp"
#include "common/queue/access.hpp"
#include "common/queue/control_json.hpp"

// The client's end of the control socket.
namespace gk::queue {
namespace {

namespace json = boost::json;

// An envelope of 10,000 recipients and its outcomes come as one line.
constexpr std::size_t kMaxLine = 512u << 20;
constexpr net::milliseconds kTimeout{60'000};
constexpr net::milliseconds kReportTimeout{3'000};  // a delivery waits for it

class SocketAccess final : public Access {
public:
    explicit SocketAccess(std::unique_ptr<net::SocketStream> socket, net::milliseconds timeout = kTimeout)
        : socket_(std::move(socket)), reader_(*socket_, kMaxLine), timeout_(timeout) {}

    Status list(const Filter& filter, const std::function<void(const Summary&)>& each) override {
        GK_CHECK(send(to_request(filter)));
        for (;;) {
            GK_TRY(const json::object line, receive());
            const auto* message = line.if_contains("message");
            if (!message) return ok();
            if (message->is_object()) each(summary_from(message->as_object()));
        }
    }

    Result<Detail> show(const std::string& id) override {
        GK_CHECK(send({{"op", "show"}, {"id", id}}));
        GK_TRY(const json::object line, receive());
        return detail_from(line);
    }

    Result<Facts> explain(const std::string& id) override {
        GK_CHECK(send({{"op", "explain"}, {"id", id}}));
        GK_TRY(const json::object line, receive());
        return facts_from(line);
    }

    Result<std::string> read(const std::string& id, std::uint64_t offset, std::size_t) override {
        GK_CHECK(send({{"op", "read"}, {"id", id}, {"offset", offset}}));
        GK_TRY(const json::object line, receive());
        auto bytes = text::from_base64(text_of(line, "bytes"));
        if (!bytes) return fail(Errc::Bug, "gk-queue's answer is no base64");
        return std::move(*bytes);
    }

    Status change(const Command& command, const std::string& id) override {
        GK_CHECK(send({{"op", std::string(action_name(command.action))},
                       {"id", id},
                       {"to", json::value_from(command.to)},
                       {"via", command.via},
                       {"reason", command.reason}}));
        GK_TRY(const json::object line, receive());
        return ok();
    }

    Status schedule(const std::string& id, TimePoint until) override {
        GK_CHECK(send({{"op", "schedule"}, {"id", id}, {"until", format_rfc3339(until)}}));
        GK_TRY(const json::object line, receive());
        return ok();
    }

    Result<std::vector<Stat>> stats(By by) override {
        GK_CHECK(send({{"op", "stats"}, {"by", std::string(name_of(by))}}));
        GK_TRY(const json::object line, receive());
        std::vector<Stat> rows;
        if (const auto* stats = line.if_contains("stats"); stats && stats->is_array())
            for (const auto& stat : stats->as_array())
                if (stat.is_object()) rows.push_back(stat_from(stat.as_object()));
        return rows;
    }

    Result<Drained> drain(const std::optional<DrainChange>& change) override {
        const std::string set = !change ? "" : change->on ? "on" : "off";
        GK_CHECK(send({{"op", "drain"}, {"set", set}, {"domain", change ? change->domain : std::string()}}));
        GK_TRY(const json::object line, receive());
        const auto names = texts_of(line, "drained");
        return Drained(names.begin(), names.end());
    }

    Result<std::uint64_t> flush() override {
        GK_CHECK(send({{"op", "flush"}}));
        GK_TRY(const json::object line, receive());
        return number_of(line, "count");
    }

    Result<bool> take_report(const std::string& account, const message::DeliveryReport& report) override {
        GK_CHECK(send(report_request(account, report)));
        GK_TRY(const json::object line, receive());
        const auto* known = line.if_contains("known");
        return known != nullptr && known->is_bool() && known->as_bool();
    }

    Status bounces(const std::function<void(const Bounce&)>& each) override {
        GK_CHECK(send({{"op", "bounces"}}));
        for (;;) {
            GK_TRY(const json::object line, receive());
            const auto* found = line.if_contains("bounce");
            if (!found) return ok();
            if (!found->is_object()) continue;
            each(bounce_from(found->as_object()));
        }
    }

private:
    Status send(const json::object& object) { return socket_->write_all(json::serialize(object) + "\n", timeout_); }

    Result<json::object> receive() {
        GK_TRY(const std::string line, reader_.read_line(timeout_));
        boost::system::error_code error;
        auto value = json::parse(line, error);
        if (error || !value.is_object()) return fail(Errc::Bug, "gk-queue's answer is no JSON object");
        const auto* good = value.as_object().if_contains("ok");
        if (good && good->is_bool() && !good->as_bool()) return fail(error_of(value.as_object()));
        return std::move(value.as_object());
    }

    std::unique_ptr<net::SocketStream> socket_;
    net::LineReader reader_;
    net::milliseconds timeout_;
};

}  // namespace

Result<bool> tell_of_report(const std::string& socket_path, const std::string& account,
                            const message::DeliveryReport& report) {
    GK_TRY(auto socket, net::connect_unix(socket_path, kReportTimeout));
    return SocketAccess(std::move(socket), kReportTimeout).take_report(account, report);
}

std::unique_ptr<Access> connect_control(const std::string& socket_path) {
    auto socket = net::connect_unix(socket_path, kTimeout);
    if (!socket) return nullptr;
    return std::make_unique<SocketAccess>(std::move(*socket));
}

}  // namespace gk::queue
