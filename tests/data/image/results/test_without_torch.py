import subprocess
import sys

FILES = ("coco", "colour", "geojson", "masks", "overlay", "polygons", "probabilities", "strips", "videos")


def test_results_are_written_without_torch() -> None:
    imports = "; ".join(f"import segmentation.data.image.results.{name}" for name in FILES)
    code = f"import sys; sys.modules['torch'] = None; import segmentation.data.image.inputs; {imports}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
