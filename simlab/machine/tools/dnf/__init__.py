"""dnf 4.7 and yum, as far as the guide goes with them.

What can be installed is what the repositories have that /etc/yum.repos.d names.
"""
