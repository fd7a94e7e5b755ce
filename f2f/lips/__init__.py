"""The lips of one video, made in parts: where it is cut, what makes a part, how parts are joined."""
