// SPDX-License-Identifier: MIT
#include "common/store/line_ends.hpp"

namespace gk::store {

bool LineEndFilter::feed(std::string_view bytes, std::string& out, std::size_t* consumed) {
    std::size_t at = 0;
    if (pending_cr_ && !bytes.empty()) {
        *consumed = 0;
        if (bytes[0] != '\n') return false;
        out += '\n';
        pending_cr_ = false;
        at = 1;
    }
    while (at < bytes.size()) {
        const auto rest = bytes.substr(at);
        const auto lf = rest.find('\n');
        const auto cr = rest.substr(0, lf).find('\r');
        *consumed = at;
        if (lf == std::string_view::npos) {
            if (cr == std::string_view::npos) {
                out.append(rest);
            } else if (cr + 1 == rest.size()) {
                out.append(rest.substr(0, cr));
                pending_cr_ = true;
            } else {
                return false;
            }
            break;
        }
        if (lf == 0 || cr != lf - 1) return false;
        out.append(rest.substr(0, cr));
        out += '\n';
        at += lf + 1;
    }
    *consumed = bytes.size();
    return true;
}

}  // namespace gk::store
