import numpy as np
import pytest

from lipsync_core.faces.geometry import crop_resized, expanded_box, generator_box, syncnet_box


def gradient(height=100, width=200):
    """Blue is the row, green the column, red zero."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)


def test_generator_crop_gains_chin_and_stays_inside_the_frame():
    assert generator_box((10, 20, 60, 70), 200, 100) == (10, 20, 60, 74)
    assert generator_box((-5, -3, 210, 99), 200, 100) == (0, 0, 200, 100)


def test_syncnet_square_follows_the_published_rule():
    # s = max(40, 60) / 2 = 30 about the centre (50, 70): rows 40...124, columns 8...92
    assert syncnet_box((30, 40, 70, 100)) == (8, 40, 92, 124)
    x1, y1, x2, y2 = syncnet_box((0, 0, 80, 50))
    assert x2 - x1 == pytest.approx(y2 - y1) == pytest.approx(2.8 * 40)


def test_expanded_box_keeps_its_centre():
    assert expanded_box((10, 20, 30, 60), 1.5) == (5, 10, 35, 70)


def test_crop_of_equal_size_is_exact():
    frame = gradient()
    np.testing.assert_array_equal(crop_resized(frame, (30, 10, 70, 50), 40), frame[10:50, 30:70])


def test_border_is_grey_or_the_edge_repeated():
    frame = gradient()
    grey = crop_resized(frame, (-10, -10, 10, 10), 20, 110)
    assert np.all(grey[:10] == 110)
    assert np.all(grey[:, :10] == 110)
    np.testing.assert_array_equal(grey[10:, 10:], frame[:10, :10])
    edge = crop_resized(frame, (190, 90, 210, 110), 20)
    np.testing.assert_array_equal(edge[10:, 10:], np.broadcast_to(frame[-1, -1], (10, 10, 3)))


@pytest.mark.parametrize("box", [(50, 10, 50, 40), (50, 40, 60, 30)])
def test_empty_boxes_are_named(box):
    with pytest.raises(ValueError, match="empty"):
        crop_resized(gradient(), box, 96)


@pytest.mark.parametrize(
    "box", [(210, 10, 230, 40), (-40, 10, -10, 40), (10, 120, 40, 150), (10, -40, 40, -10)]
)
def test_boxes_beside_the_frame_give_nothing_but_its_border(box):
    frame = gradient()
    assert np.all(crop_resized(frame, box, 30, 110) == 110)
    edge = crop_resized(frame, box, 30)
    assert edge.shape == (30, 30, 3)
    assert edge.min() >= 0
    assert np.ptp(edge, axis=0).max() == 0 or np.ptp(edge, axis=1).max() == 0, "one row or column, repeated"
    assert not np.shares_memory(edge, frame)
